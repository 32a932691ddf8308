"""What people around payments work with: tasks, templates, saved views, partnerships, themes, what was consumed."""
