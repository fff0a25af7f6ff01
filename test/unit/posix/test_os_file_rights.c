/* Tests of src/os/posix/file_rights.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file_rights.h"

#define NAME "test_os_file_rights.file"

static void others_are_those_whom_the_mode_does_not_name(void **state)
{
	static const struct {
		mode_t mode;
		bool others_read, others_change;
		const char *how;
	} cases[] = {
	    {0600, false, false, "its mode is 0600"}, {0640, false, false, "its mode is 0640"},
	    {0644, true, false, "its mode is 0644"},  {0660, false, true, "its mode is 0660"},
	    {0602, false, true, "its mode is 0602"},  {0666, true, true, "its mode is 0666"},
	};
	struct file_rights rights;
	int fd = open(NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fchmod(fd, cases[i].mode), 0);
		assert_true(file_rights_look(NAME, &rights));
		assert_int_equal(rights.others_read, cases[i].others_read);
		assert_int_equal(rights.others_change, cases[i].others_change);
		assert_string_equal(rights.how, cases[i].how);
	}
	close(fd);
	assert_int_equal(unlink(NAME), 0);
	assert_false(file_rights_look(NAME, &rights));
}

static void commands_can_be_pasted(void **state)
{
	char buf[200];

	(void)state;
	assert_string_equal(file_rights_close("/etc/pgweir/userlist.txt", buf, sizeof(buf)),
	                    "chmod 640 /etc/pgweir/userlist.txt");
	assert_string_equal(file_rights_close("my users;.txt", buf, sizeof(buf)), "chmod 640 'my users;.txt'");
	assert_string_equal(file_rights_close("ann's $list", buf, sizeof(buf)), "chmod 640 'ann'\\''s $list'");
	assert_string_equal(file_rights_close("", buf, sizeof(buf)), "chmod 640 ''");
	assert_string_equal(file_rights_give("a b", "weir", buf, sizeof(buf)), "chown weir 'a b'; chmod 600 'a b'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(others_are_those_whom_the_mode_does_not_name),
	    cmocka_unit_test(commands_can_be_pasted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
