# The image of the gateway. It contains only the static binary and the certificates of
# the public authorities.

# The compiler runs on the architecture of the build machine, without emulation.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# `make` sets it, because the image build has no access to the Git history. The default
# is "devel".
ARG GATEWAY_VERSION
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -v -trimpath -ldflags="-s -w -X github.com/voiceassist/gateway/shared/foundation/version.linked=$GATEWAY_VERSION" \
    -o /out/gateway ./cmd/gateway && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/gateway /gateway
# A new volume inherits this folder's owner.
COPY --from=build --chown=65532:65532 /out/data /data
ENV DATA_DIR=/data
VOLUME /data
USER 65532:65532
EXPOSE 8443 8000
# Uses plain HTTP, which serves /health without a certificate.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=6 \
    CMD ["/gateway", "healthcheck"]
ENTRYPOINT ["/gateway"]
CMD ["serve"]
