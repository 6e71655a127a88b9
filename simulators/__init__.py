"""A virtual field for demos and tests: water, instruments, Modbus devices, MQTT stations. No part of the product."""
