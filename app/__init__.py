"""Everything from a bundle to pixels; never imports torch."""
