#!/bin/sh
# InfluxDB 2.x: make the bucket of results and map both buckets to databases of their names, for InfluxQL.
set -eu
INFLUX_TOKEN=$(cat /run/secrets/influx_token)
export INFLUX_TOKEN INFLUX_HOST=http://influxdb:8086 INFLUX_ORG=plant
influx bucket list --name results >/dev/null 2>&1 || influx bucket create --name results --retention 0
for bucket in readings results; do
  id=$(influx bucket list --name "$bucket" --hide-headers | cut -f 1)
  influx v1 dbrp list --db "$bucket" --hide-headers | grep -q . ||
    influx v1 dbrp create --db "$bucket" --rp autogen --bucket-id "$id" --default
done
