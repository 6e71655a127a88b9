FROM python:3.12-slim
WORKDIR /app
COPY pyproject.toml requirements.lock README.md LICENSE NOTICE ./
COPY plant_monitor plant_monitor
COPY simulators simulators
RUN pip install --no-cache-dir -r requirements.lock && pip install --no-cache-dir --no-deps .
RUN useradd --system --home-dir /data --create-home plant-monitor
USER plant-monitor
VOLUME /data
ENTRYPOINT ["plant-monitor"]
CMD ["run", "/config/plant.yaml", "--data", "/data", "--host", "0.0.0.0"]
