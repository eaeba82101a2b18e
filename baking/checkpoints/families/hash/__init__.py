"""Families whose field is a multiresolution hash grid."""
