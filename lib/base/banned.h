// Functions that have no safe use here; naming one does not compile.
// Included by the compiler's command line (-include) for everything in lib/ and applets/.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef gets
#define strcpy banned_strcpy_use_memcpy
#define strcat banned_strcat_use_buf
#define sprintf banned_sprintf_use_snprintf
#define vsprintf banned_vsprintf_use_vsnprintf
#define strtok banned_strtok_use_words_split
#define atoi banned_atoi_use_num_parse
#define gets banned_gets_use_read
