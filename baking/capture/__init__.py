"""Photos and videos without poses: from their files to a dataset with cameras."""
