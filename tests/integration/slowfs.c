// A file system that stops answering: slowfs DIR PROGRAM HANG.
// DIR holds an empty folder "d" and a copy of PROGRAM as "program". While the file
// HANG exists nothing is answered; while HANG holds the word "late", nothing but
// the reading of what is behind a program's first page. Format: fuse(4), linux/fuse.h.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FOLDER = 2, PROGRAM = 3, SIZE = 1 << 20 };

static int fuse;
static const char *hang;
static char *program;
static size_t program_len;

static int is_held(const struct fuse_in_header *in)
{
	char word[8] = "";
	int fd = open(hang, O_RDONLY);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, word, 4);
	close(fd);
	const struct fuse_read_in *r = (const void *)(in + 1);
	return n != 4 || (in->opcode == FUSE_READ && r->offset);
}

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t len)
{
	static char out[SIZE];
	const struct fuse_out_header h = { (uint32_t)(sizeof(h) + len), -error, in->unique };
	memcpy(out, &h, sizeof(h));
	if (len)
		memcpy(out + sizeof(h), data, len);
	if (write(fuse, out, h.len) < 0 && errno == ENODEV)
		exit(0);
}

static struct fuse_attr attr_of(uint64_t node)
{
	int file = node == PROGRAM;
	return (struct fuse_attr){
		.ino = node,
		.mode = file ? S_IFREG | 0755 : S_IFDIR | 0755,
		.nlink = 1,
		.size = file ? program_len : 0,
		.blksize = 4096,
	};
}

static void lookup(const struct fuse_in_header *in)
{
	const char *name = (const char *)(in + 1);
	struct fuse_entry_out e = { .nodeid = !strcmp(name, "d") ? FOLDER : !strcmp(name, "program") ? PROGRAM : 0 };
	e.attr = attr_of(e.nodeid);
	reply(in, e.nodeid ? 0 : ENOENT, &e, e.nodeid ? sizeof(e) : 0);
}

static void read_program(const struct fuse_in_header *in)
{
	const struct fuse_read_in *r = (const void *)(in + 1);
	size_t at = r->offset < program_len ? r->offset : program_len;
	reply(in, 0, program + at, r->size < program_len - at ? r->size : program_len - at);
}

static void answer(const struct fuse_in_header *in)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096, .max_readahead = 0 };
	const struct fuse_attr_out attr = { .attr = attr_of(in->nodeid) };
	const struct fuse_open_out opened = { .fh = 1 };
	switch (in->opcode) {
	case FUSE_INIT:
		reply(in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		lookup(in);
		break;
	case FUSE_GETATTR:
		reply(in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		reply(in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		read_program(in);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		reply(in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in, ENOSYS, NULL, 0);
	}
}

static int load(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || !(program = malloc((size_t)st.st_size)))
		return -1;
	program_len = (size_t)st.st_size;
	return read(fd, program, program_len) == st.st_size ? 0 : -1;
}

int main(int argc, char **argv)
{
	static char in[SIZE];
	char options[128];
	if (argc != 4 || load(argv[2]) < 0)
		return 2;
	hang = argv[3];
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
	if (fuse < 0 || mount("slowfs", argv[1], "fuse", MS_NODEV, options) < 0) {
		perror("slowfs");
		return 1;
	}
	for (;;) {
		ssize_t n = read(fuse, in, sizeof(in));
		if (n < 0 && errno != EINTR && errno != ENOENT)
			return 0;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			continue;
		while (is_held((void *)in))
			nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		answer((void *)in);
	}
}
