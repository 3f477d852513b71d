"""Every kind of call that the system makes, once against a real project and once against the local cloud."""
