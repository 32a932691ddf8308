"""What backends answer later: provisional decisions are settled, and notifications told again."""
