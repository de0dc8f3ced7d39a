"""The image of the appliance, started in QEMU as on a machine of its own."""
