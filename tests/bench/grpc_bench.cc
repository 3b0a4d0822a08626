// gRPC C++ with TLS on loopback: grpc_bench IN_FLIGHT SECONDS CERT KEY prints calls per second of 1 KiB. The yardstick of
// rpc_bench; callback API on both sides, server and client in two processes.
#include "grpc_bench.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static std::string
read_file(const char *path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

class Service final : public bench::Documents::CallbackService {
    grpc::ServerUnaryReactor *
    Put(grpc::CallbackServerContext *context, const bench::Document *request, bench::Reply *reply) override
    {
        reply->set_sha256(request->envelope());
        auto *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

static void
serve(const std::string &cert, const std::string &key, int out, int control)
{
    Service service;
    grpc::ServerBuilder builder;
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({key, cert});
    int port = 0;
    builder.AddListeningPort("localhost:0", grpc::SslServerCredentials(options), &port);
    builder.RegisterService(&service);
    auto server = builder.BuildAndStart();
    dprintf(out, "%d\n", port);
    char byte;
    (void)!read(control, &byte, 1);
    _exit(0);
}

struct Load {
    std::unique_ptr<bench::Documents::Stub> stub;
    bench::Document request;
    std::atomic<long> done{0}, failed{0}, open{0};
    std::chrono::steady_clock::time_point until;
};

struct Call {
    grpc::ClientContext context;
    bench::Reply reply;
};

static void
start(Load *load)
{
    auto *call = new Call;
    load->open++;
    load->stub->async()->Put(&call->context, &load->request, &call->reply, [load, call](grpc::Status status) {
        delete call;
        load->done++;
        load->failed += !status.ok();
        if (std::chrono::steady_clock::now() < load->until) {
            start(load);
        }
        load->open--;
    });
}

int
main(int argc, char **argv)
{
    int out[2], control[2], port = 0;
    if (argc != 5 || pipe(out) != 0 || pipe(control) != 0) {
        fprintf(stderr, "usage: grpc_bench IN_FLIGHT SECONDS CERT KEY\n");
        return 2;
    }
    std::string cert = read_file(argv[3]), key = read_file(argv[4]);
    if (fork() == 0) {
        close(control[1]);
        serve(cert, key, out[1], control[0]);
    }
    FILE *answers = fdopen(out[0], "r");
    if (fscanf(answers, "%d", &port) != 1) {
        return 1;
    }
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = cert;
    Load load;
    load.stub = bench::Documents::NewStub(
        grpc::CreateChannel("localhost:" + std::to_string(port), grpc::SslCredentials(options)));
    load.request.set_envelope(std::string(1024, 'x'));
    {
        grpc::ClientContext context; // the handshake is not measured
        bench::Reply reply;
        if (!load.stub->Put(&context, load.request, &reply).ok()) {
            return 1;
        }
    }
    auto from = std::chrono::steady_clock::now();
    load.until = from + std::chrono::seconds(atol(argv[2]));
    for (long i = 0; i < atol(argv[1]); i++) {
        start(&load);
    }
    std::this_thread::sleep_until(load.until);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    printf("%.0f\n", load.done / seconds);
    while (load.open > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    close(control[1]);
    wait(nullptr);
    return load.failed > 0;
}
