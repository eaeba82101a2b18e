"""Radiance fields from posed photos, in plain torch: what ``duplex-train`` runs."""
