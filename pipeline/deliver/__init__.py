"""The main action: one hour of one dataset is planned, sealed and uploaded. Its door is `delivery.deliver`."""
