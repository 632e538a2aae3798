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

static void collect(void *ctx, bool is_error, unsigned line, unsigned column, const char *text)
{
	buf_printf(ctx, "%c%u:%u: %s\n", is_error ? 'E' : 'W', line, column, text);
}

static void check_says(const char *content, int expected_rc, const char *expected)
{
	struct unit u;
	struct buf said = BUF_INIT;

	write_file("a.yaml", content, 0);
	assert_int_equal(unit_check(dir_fd, "a.yaml", &u, collect, &said), expected_rc);
	assert_string_equal(said.len ? buf_text(&said) : "", expected);
	buf_release(&said);
	unit_release(&u);
	unlinkat(dir_fd, "a.yaml", 0);
}

static void test_check(void **state)
{
	struct unit u;
	struct buf said = BUF_INIT;

	(void)state;
	check_says("exec: x\n", 0, "");
	check_says("exec: x\nlgo: y\n", 0, "E2:1: lgo: unknown key, did you mean 'log'?\n");
	check_says("exec: x\nafter: y\n", 0, "W2:8: after: one string, taken as a list of one name\n");
	check_says("log: y\nkill: z\n", -1,
		"E1:6: log: plain text 'y', expected ring, none or stdout\n"
		"E2:7: kill: plain text 'z', expected attached or tree\n"
		"E1:1: exec: missing, expected the command line to run\n");
	check_says("exec:\nlog: y\n", -1,
		"E2:6: log: plain text 'y', expected ring, none or stdout\n"
		"E1:1: exec: empty, expected the command line to run\n");
	check_says("exec: {a: b}\nexec: [\n", -1,
		"E3:1: did not find expected node content while parsing a flow node (from line 3)\n");
	assert_int_equal(unit_check(dir_fd, "nosuch.yaml", &u, collect, &said), -1);
	assert_string_equal(buf_text(&said), "E0:0: No such file or directory\n");
	buf_release(&said);
	unit_release(&u);
}

static void test_check_goes_on(void **state)
{
	struct unit u;
	struct buf said = BUF_INIT;

	(void)state;
	write_file("a.yaml",
		"exec: run me\nafter: [a, '', b, []]\nenv: {A: 1, B: [], C: 2}\nsignal: {stop: X, stopp: Y}\ndir: /d\n",
		0);
	assert_int_equal(unit_check(dir_fd, "a.yaml", &u, collect, &said), -1);
	assert_string_equal(buf_text(&said),
		"E2:12: after[1]: an empty item, expected a service name\n"
		"E2:19: after[3]: a list, expected a service name\n"
		"E3:16: env.B: a list, expected a string\n"
		"E4:16: signal.stop: plain text 'X', expected a signal such as SIGTERM, TERM, 15 or SIGRTMIN+2\n"
		"E4:19: stopp: unknown key, did you mean 'stop'?\n");
	assert_int_equal(u.exec.place.column, 7);
	assert_int_equal(u.dir_place.line, 5);
	assert_int_equal(u.nafter, 2);
	assert_string_equal(u.after[1], "b");
	assert_int_equal(u.after_places[1].column, 16);
	assert_int_equal(u.nenv, 2);
	buf_release(&said);
	unit_release(&u);
	unlinkat(dir_fd, "a.yaml", 0);
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
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_goes_on),
		cmocka_unit_test(test_load_no_files),
		cmocka_unit_test(test_load_too_large),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
