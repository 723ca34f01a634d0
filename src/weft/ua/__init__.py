"""OPC UA's vocabulary as the client and the server of this house both speak it: node ids, values, structures,
guards around asyncua's decoder, the application certificate. Its modules are public; importing the package
alone loads nothing of asyncua."""
