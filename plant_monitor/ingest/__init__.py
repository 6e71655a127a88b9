"""Intake: readings from Modbus devices and MQTT stations, decoded, qualified, durable, then acknowledged."""
