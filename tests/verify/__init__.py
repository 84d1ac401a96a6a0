"""What no emulator can show, asked once of the real service."""
