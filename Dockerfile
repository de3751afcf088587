# One static program, the certificates of the public authorities, and a
# configuration: nothing else is in the image.
#
#   docker build -t dotstub .
#   docker run -p 53:53/udp -p 53:53/tcp dotstub

FROM debian:trixie-slim AS build
COPY deps/setup.sh /src/deps/setup.sh
RUN /src/deps/setup.sh build
WORKDIR /src
COPY . .
RUN meson setup /build \
        -Dbuildtype=release -Dstrip=true -Db_lto=true \
        -Dtests=false -Dstatic_deps=true -Dc_link_args=-static-pie \
    && ninja -C /build dotstub \
    && strip -o /dotstub /build/dotstub \
    && install -D -m 755 /dotstub /image/usr/bin/dotstub \
    && install -D -m 644 config/container.yaml /image/etc/dotstub/dotstub.yaml \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt \
        /image/etc/ssl/certs/ca-certificates.crt

FROM scratch
COPY --from=build /image/ /
# By number, because there is no /etc/passwd. Container engines let everybody
# bind port 53 (net.ipv4.ip_unprivileged_port_start=0); no capability is used.
USER 65534:65534
EXPOSE 53/udp 53/tcp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/dotstub"]
CMD ["run", "-c", "/etc/dotstub/dotstub.yaml"]
