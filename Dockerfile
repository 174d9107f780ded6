# Pipilo as a server. Its default models come along, so that it works without a network.
#
#     docker build -t pipilo .
#     docker run -p 8315:8315 -e PIPILO_KEYS=a-secret-that-is-long -v pipilo:/data pipilo
#
# scripts/checkImage.ts runs these commands in an empty folder.
FROM node:22-slim AS build
WORKDIR /build
COPY . .
RUN npm ci --no-audit --no-fund
RUN mkdir -p /packed && npm pack --pack-destination /packed

FROM node:22-slim
ENV NODE_ENV=production
ENV ONNXRUNTIME_NODE_INSTALL=skip
ENV PIPILO_CACHE=/data/cache
WORKDIR /app
COPY --from=build /packed /packed
RUN npm install --no-audit --no-fund /packed/*.tgz && npm cache clean --force && rm -rf /packed
# Libraries of other systems: two thirds of it.
RUN find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 -not -name linux -exec rm -rf {} +
RUN mkdir -p /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8315
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:8315/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "node_modules/pipilo/dist/cli/main.js"]
# Others reach it, so it asks for keys: without PIPILO_KEYS it does not start.
CMD ["serve", "--host", "0.0.0.0", "--port", "8315", "--db", "/data/.pipilo"]
