// unit_load(): files, what is no regular file, and names of files.
#include "unit_help.h"

#include <fcntl.h>
#include <sys/stat.h>

static int dir_fd;
static char dir_name[] = "/tmp/unit-test-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir_name))
		return -1;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int drop_dir(void **state)
{
	(void)state;
	close(dir_fd);
	buf_release(&warnings);
	return rmdir(dir_name);
}

static void write_file(const char *name, const char *text, off_t size)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(ftruncate(fd, size ? size : (off_t)strlen(text)), 0);
	close(fd);
}

static void load_fails(const char *name, const char *expected)
{
	struct unit u;

	assert_int_equal(unit_load(dir_fd, name, &u, NULL, NULL, &last), -1);
	assert_int_equal(last.code, ERR_CONFIG);
	assert_string_equal(last.text, expected);
	assert_null(u.blocks);
}

static void test_load(void **state)
{
	struct unit u;

	(void)state;
	write_file("a.yaml", "exec: sleep 1000", 0);
	assert_int_equal(symlinkat("a.yaml", dir_fd, "link.yaml"), 0);
	assert_int_equal(unit_load(dir_fd, "a.yaml", &u, NULL, NULL, &last), 0);
	assert_string_equal(u.exec.argv[0], "sleep");
	unit_release(&u);
	assert_int_equal(unit_load(dir_fd, "link.yaml", &u, NULL, NULL, &last), 0);
	unit_release(&u);
	write_file("a.yaml", "exec: x\nlog: y\n", 0);
	load_fails("a.yaml", "a.yaml:2:6: log: plain text 'y', expected ring, none or stdout");
	write_file("a.yaml", "", 0);
	load_fails("a.yaml", "a.yaml:1:1: the file is empty, expected at least 'exec: COMMAND'");
	unlinkat(dir_fd, "a.yaml", 0);
	load_fails("a.yaml", "a.yaml: No such file or directory");
	load_fails("link.yaml", "link.yaml: No such file or directory");
	unlinkat(dir_fd, "link.yaml", 0);
}

static void test_load_no_files(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir_fd, "d.yaml", 0700), 0);
	load_fails("d.yaml", "d.yaml: a directory, expected a regular file");
	unlinkat(dir_fd, "d.yaml", AT_REMOVEDIR);
	assert_int_equal(mkfifoat(dir_fd, "p.yaml", 0600), 0);
	load_fails("p.yaml", "p.yaml: a FIFO, expected a regular file");
	unlinkat(dir_fd, "p.yaml", 0);
	assert_int_equal(symlinkat("/dev/zero", dir_fd, "z.yaml"), 0);
	load_fails("z.yaml", "z.yaml: a device, expected a regular file");
	unlinkat(dir_fd, "z.yaml", 0);
	assert_int_equal(symlinkat("l.yaml", dir_fd, "l.yaml"), 0);
	load_fails("l.yaml", "l.yaml: Too many levels of symbolic links");
	unlinkat(dir_fd, "l.yaml", 0);
}

static void test_load_too_large(void **state)
{
	double start = seconds();

	(void)state;
	write_file("s.yaml", "exec: x\n", (off_t)1 << 30);
	load_fails("s.yaml", "s.yaml: more than 1048576 bytes, expected a service file");
	assert_true(seconds() - start < 1);
	write_file("s.yaml", "exec: x\n#", UNIT_FILE_MAX + 1);
	load_fails("s.yaml", "s.yaml: more than 1048576 bytes, expected a service file");
	write_file("s.yaml", "exec: x\n#", UNIT_FILE_MAX);
	load_fails("s.yaml", "s.yaml:2:2: a NUL byte, expected UTF-8 text");
	unlinkat(dir_fd, "s.yaml", 0);
}

static void test_names(void **state)
{
	char name[UNIT_NAME_MAX + 1];

	(void)state;
	assert_null(unit_name_problem("a", 1));
	assert_null(unit_name_problem("a b.c:d\"-", 9));
	assert_null(unit_name_problem("n\xc3\xa4me", 5));
	assert_string_equal(unit_name_problem("", 0), "the name is empty");
	assert_string_equal(unit_name_problem(".a", 2), "the name starts with '.'");
	assert_string_equal(unit_name_problem("a/b", 3), "the name holds '/' or '\\'");
	assert_string_equal(unit_name_problem("a\\b", 3), "the name holds '/' or '\\'");
	assert_string_equal(unit_name_problem("a\nb", 3), "the name holds a control byte");
	assert_string_equal(unit_name_problem("a\0b", 3), "the name holds a control byte");
	assert_string_equal(unit_name_problem("a\x7f", 2), "the name holds a control byte");
	assert_string_equal(unit_name_problem("caf\xe9", 4), "the name is not UTF-8");
	memset(name, 'x', sizeof(name));
	assert_null(unit_name_problem(name, UNIT_NAME_MAX));
	assert_string_equal(unit_name_problem(name, UNIT_NAME_MAX + 1), "the name is longer than 128 bytes");
	assert_int_equal(unit_name_of_file("a.yaml"), 1);
	assert_int_equal(unit_name_of_file("ab.yml"), 2);
	assert_int_equal(unit_name_of_file("svc.bak.yaml"), 7);
	assert_int_equal(unit_name_of_file(".yaml"), 0);
	assert_int_equal(unit_name_of_file(".yml"), 0);
	assert_int_equal(unit_name_of_file("a.YAML"), 0);
	assert_int_equal(unit_name_of_file("a.yaml~"), 0);
	assert_int_equal(unit_name_of_file("yaml"), 0);
	assert_int_equal(unit_name_of_file(""), 0);
	assert_int_equal(unit_name_of_file(".hidden.yaml"), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_no_files),
		cmocka_unit_test(test_load_too_large),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
