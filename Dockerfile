# One static program, the certificates of the public authorities, and a
# configuration: nothing else is in the image.
#
#   docker build -t dotstub .
#   docker run -p 53:53/udp -p 53:53/tcp dotstub
#
# Each key of the configuration may be given as a variable instead:
#   docker run -e DOTSTUB_SERVERS=quad9 -p 53:53/udp -p 53:53/tcp dotstub

FROM debian:trixie-slim AS build
COPY deps/setup.sh deps/libmicrohttpd.wrap /src/deps/
RUN /src/deps/setup.sh static
WORKDIR /src
COPY . .
RUN meson setup /build \
        -Dbuildtype=release -Dstrip=true -Db_lto=true \
        -Dtests=false -Dstatic_deps=true -Dadmin=enabled \
        -Dc_link_args=-static-pie \
    && ninja -C /build dotstub \
    && strip -o /dotstub /build/dotstub \
    && install -D -m 755 /dotstub /image/usr/bin/dotstub \
    && install -D -m 644 config/container.yaml /image/etc/dotstub/dotstub.yaml \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt \
        /image/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 700 /run/dotstub

FROM scratch
COPY --from=build /image/ /
# For the socket of "docker exec dotstub /usr/bin/dotstub stats".
COPY --from=build --chown=65534:65534 /run/dotstub/ /run/dotstub/
# By number, because there is no /etc/passwd. Container engines let everybody
# bind port 53 (net.ipv4.ip_unprivileged_port_start=0); no capability is used.
USER 65534:65534
EXPOSE 53/udp 53/tcp
STOPSIGNAL SIGTERM
# Asks "localhost A" at its own door, which is answered without any server: one
# that cannot be reached is no reason to start anew.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/usr/bin/dotstub", "health"]
ENTRYPOINT ["/usr/bin/dotstub"]
CMD ["run", "-c", "/etc/dotstub/dotstub.yaml"]
