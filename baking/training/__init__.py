"""``duplex-train``: radiance fields from posed photos, in plain torch."""
