/* sim_memory: who allocated what, so that a crashed worker gives everything back at once.
 *
 * The executable is linked with --wrap for malloc and its relatives. Memory allocated while a
 * worker runs belongs to that worker; sim_memory_free_all() frees what a crash left behind.
 * Pointers are remembered outside the blocks, so sanitizers see ordinary allocations. */
#ifndef LC_SIM_MEMORY_H
#define LC_SIM_MEMORY_H

#include <stddef.h>

/* 0: the simulation itself (not remembered). Returns the owner until now. */
int sim_memory_owner(int owner);
/* Free every live block of the owner; the number of blocks. */
size_t sim_memory_free_all(int owner);
/* Live blocks of the owner. */
size_t sim_memory_blocks(int owner);

#endif
