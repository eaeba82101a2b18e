"""Files of the window: what is opened or dropped, watched, and kept from one start to the next."""
