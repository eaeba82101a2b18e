"""Everything from a bundle to pixels. It never imports torch."""
