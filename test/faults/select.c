/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the planted faults is alive: its number in faults.txt, from FXJIT_FAULT; 0: none. */
#include <stdlib.h>

int fx_fault;

__attribute__((constructor)) static void select_fault(void)
{
    const char *number = getenv("FXJIT_FAULT");
    fx_fault = number ? atoi(number) : 0;
}
