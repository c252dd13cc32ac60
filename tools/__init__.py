"""Tools that make the course from its sources; nothing that a learner runs lives here."""
