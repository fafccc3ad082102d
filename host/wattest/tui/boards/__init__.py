"""The boards screen: ports, flashing, provisioning, console and passports on one screen."""
