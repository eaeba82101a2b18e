"""The window: input becomes actions, panels take a state and give actions, one function applies them."""
