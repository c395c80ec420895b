# Two images, `docker build --target agent .` and `--target anchor-service .`. Every step is a script that runs
# without Docker, too (CONTRIBUTING.md, "Containers").

FROM node:20-bookworm-slim AS release
WORKDIR /src
COPY . .
RUN bootstrap/debian-packages.sh build
RUN bootstrap/docker/release.sh /opt/witnessmark

# The release carries its own Node: the base needs none.
FROM debian:12-slim AS base
COPY --from=release /opt/witnessmark /opt/witnessmark
RUN /opt/witnessmark/bootstrap/debian-packages.sh run
RUN /opt/witnessmark/bootstrap/docker/user.sh
USER witnessmark
WORKDIR /var/lib/witnessmark
VOLUME /var/lib/witnessmark

FROM base AS agent
ENTRYPOINT ["/opt/witnessmark/bootstrap/agent-node.sh", "/opt/witnessmark/dist/cli/main.js", "agent"]

FROM base AS anchor-service
ENTRYPOINT ["/opt/witnessmark/node_modules/.bin/node", "/opt/witnessmark/dist/cli/main.js", "anchor-service"]
