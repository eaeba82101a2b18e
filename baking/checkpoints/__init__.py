"""Reading trained NeRFs: checkpoint files, hostile ones too, and the recognition of their family."""
