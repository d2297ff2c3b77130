"""The Lab: small systems of networks around the GAN, one experiment a module, all with the contract of `contract`."""
