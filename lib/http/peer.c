// Who owns the other end of a connection within this machine: asked of the
// kernel (sock_diag(7)), or read from /proc/net/tcp where it does not tell.
#include "http/access.h"
#include "base/clock.h"
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ends {
	union net_address own, peer;
};

static void put_address(const union net_address *a, __be32 out[4], __be16 *port)
{
	if (a->any.sa_family == AF_INET) {
		memcpy(out, &a->in.sin_addr, 4);
		*port = a->in.sin_port;
	} else {
		memcpy(out, &a->in6.sin6_addr, 16);
		*port = a->in6.sin6_port;
	}
}

int peer_open(void)
{
	struct timeval limit = { .tv_sec = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

// A socket without an inode belongs to nobody any more: its uid 0 means nothing.
// Where there is no such connection the kernel tells of who listens on that port.
// An answer to an earlier question is passed over.
static int read_answer(int fd, uint32_t question)
{
	union {
		struct nlmsghdr head;
		char room[1024];
	} in;
	ssize_t n;
	do
		n = recv(fd, &in, sizeof(in), 0);
	while (n >= (ssize_t)sizeof(in.head) && in.head.nlmsg_seq != question);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) || in.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -1;
	const struct inet_diag_msg *m = NLMSG_DATA(&in.head);
	return m->idiag_inode && m->idiag_state != TCP_LISTEN ? (int)m->idiag_uid : -1;
}

static int ask_kernel(int fd, const struct ends *e)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} out = { .head = { .nlmsg_len = sizeof(out),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST,
			  .nlmsg_seq = (uint32_t)clock_mono_us() },
		.req = { .sdiag_family = (uint8_t)e->peer.any.sa_family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0u } };
	struct inet_diag_sockid *id = &out.req.id;
	put_address(&e->peer, id->idiag_src, &id->idiag_sport);
	put_address(&e->own, id->idiag_dst, &id->idiag_dport);
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return fd >= 0 && send(fd, &out, sizeof(out), 0) == sizeof(out) ? read_answer(fd, out.head.nlmsg_seq) : -1;
}

// "0100007F:1F90", as /proc/net/tcp has it: words of the machine's byte order.
static void print_end(const union net_address *a, char *out, size_t size)
{
	uint32_t w[4] = { 0 };
	__be16 port;
	put_address(a, w, &port);
	if (a->any.sa_family == AF_INET)
		snprintf(out, size, "%08X:%04X", w[0], ntohs(port));
	else
		snprintf(out, size, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3], ntohs(port));
}

static int read_proc(const struct ends *e)
{
	char own[48], peer[48], line[512], a[48], b[48];
	int found = -1, uid;
	unsigned long inode;
	FILE *f = fopen(e->peer.any.sa_family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", "re");
	print_end(&e->own, own, sizeof(own));
	print_end(&e->peer, peer, sizeof(peer));
	while (f && found < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %47s %47s %*s %*s %*s %*s %d %*d %lu", a, b, &uid, &inode) == 4 &&
			!strcmp(a, peer) && !strcmp(b, own) && inode)
			found = uid;
	if (f)
		fclose(f);
	return found;
}

int peer_uid(int diag_fd, int fd)
{
	struct ends e = { .own = { .any = { .sa_family = AF_UNSPEC } } };
	socklen_t own = sizeof(e.own), peer = sizeof(e.peer);
	if (getsockname(fd, &e.own.any, &own) < 0 || getpeername(fd, &e.peer.any, &peer) < 0)
		return -1;
	net_unmap(&e.own);
	net_unmap(&e.peer);
	int uid = ask_kernel(diag_fd, &e);
	return uid >= 0 ? uid : read_proc(&e);
}
