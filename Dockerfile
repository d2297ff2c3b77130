# docker build -t ganopt . && docker run --rm -p 127.0.0.1:7860:7860 -v ganopt:/data ganopt
FROM python:3.12-slim
RUN useradd --uid 1000 --create-home ganopt && install -d -o ganopt -g ganopt /data
USER ganopt
WORKDIR /home/ganopt/app
COPY requirements.txt ./
RUN pip install --no-cache-dir --no-warn-script-location --user -r requirements.txt
COPY app.py README.md LICENSE ./
COPY ganopt ganopt
COPY checkpoints checkpoints
ENV GANOPT_RUNS=/data/runs GANOPT_CACHE=/data/cache GRADIO_SERVER_NAME=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=10s --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860', timeout=5)"]
CMD ["python", "app.py"]
