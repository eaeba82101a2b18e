"""Videos and folders of pictures that a scene is drawn into, frame by frame."""
