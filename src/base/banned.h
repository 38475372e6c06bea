/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Functions this code does without, each a compile error with its reason in the name of the missing
 * symbol. The build includes this file before everything else (-include base/banned.h).
 *
 * The headers that declare them come first, or their declarations would be broken, too. The macros
 * take arguments, so a struct member of such a name still works.
 */
#ifndef HF_BASE_BANNED_H
#define HF_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets
#undef strtok
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef system
#undef popen
#undef tmpnam
#undef tempnam
#undef mktemp
#undef gmtime
#undef localtime
#undef asctime
#undef ctime

/* They do not know how much room there is: snprintf, memcpy, struct buf. */
#define strcpy(...) banned_unbounded_strcpy
#define strcat(...) banned_unbounded_strcat
#define sprintf(...) banned_unbounded_sprintf
#define vsprintf(...) banned_unbounded_vsprintf
#define gets(...) banned_unbounded_gets

/* They may leave no terminating zero, or mean the wrong length: as above. */
#define strncpy(...) banned_unterminated_strncpy
#define strncat(...) banned_misread_strncat

/* They cannot report an error: strtoll and its like, checked. */
#define atoi(...) banned_unchecked_atoi
#define atol(...) banned_unchecked_atol
#define atoll(...) banned_unchecked_atoll
#define atof(...) banned_unchecked_atof

/* They go through a shell: base/spawn.h. */
#define system(...) banned_shell_system
#define popen(...) banned_shell_popen

/* The name may be taken by somebody else before it is opened: fs_write_file, mkdtemp. */
#define tmpnam(...) banned_race_tmpnam
#define tempnam(...) banned_race_tempnam
#define mktemp(...) banned_race_mktemp

/* They share one result between all threads: strtok_r, gmtime_r, clock_format_utc. */
#define strtok(...) banned_shared_strtok
#define gmtime(...) banned_shared_gmtime
#define localtime(...) banned_shared_localtime
#define asctime(...) banned_shared_asctime
#define ctime(...) banned_shared_ctime

#endif
