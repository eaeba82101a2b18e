"""The window: input and panels give actions, one function applies them."""
