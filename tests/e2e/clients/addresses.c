/*
 * Look a name up with the C library's resolver and print its addresses, one a
 * line. Built with musl-gcc by the tests: musl asks for A and AAAA at once,
 * from one socket, and takes the answers in any order.
 */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all;
    int err = getaddrinfo(argc > 1 ? argv[1] : "", NULL, &hints, &all);

    if (err != 0) {
        printf("error: %s\n", gai_strerror(err));
        return 1;
    }
    for (struct addrinfo *a = all; a != NULL; a = a->ai_next) {
        char text[64];

        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST) == 0) {
            printf("%s\n", text);
        }
    }
    freeaddrinfo(all);
    return 0;
}
