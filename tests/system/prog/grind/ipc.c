/*
 * Semaphores and message queues of System V. Few keys and small sets, so that torturers meet; main removes
 * what is left after a round.
 */
#include "torturer.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>

enum { KEYS = 5 };

static void sem_op(struct torturer *t) {
    struct sembuf operations[8];
    struct timespec time = {0, below(t, 300000)};
    long id = CALL3(SYS_semget, below(t, KEYS), 1 + below(t, 6), IPC_CREAT | 0600);
    for (int i = 0; i < 8; i++)
        operations[i] =
            (struct sembuf){(unsigned short)below(t, 7), (short)((int)below(t, 7) - 3),
                            (short)((below(t, 3) ? SEM_UNDO : 0) | (below(t, 4) ? 0 : IPC_NOWAIT))};
    switch (below(t, 8)) {
    case 0:
        CALL6(SYS_semctl, id, below(t, 7), below(t, 21), memory_any(t), 0, 0);
        break;
    case 1:
        CALL6(SYS_semctl, id, below(t, 7), SETVAL, below(t, 4), 0, 0);
        break;
    case 2:
        CALL3(SYS_semctl, id, 0, IPC_RMID);
        break;
    case 3:
        CALL3(SYS_semop, id, operations, 1 + below(t, 3));
        break;
    default:
        CALL6(SYS_semtimedop, id, operations, 1 + below(t, 8), below(t, 8) ? (long)&time : memory_any(t), 0,
              0);
    }
}

static void msg_op(struct torturer *t) {
    long id = CALL2(SYS_msgget, below(t, KEYS), IPC_CREAT | 0600);
    long flags = (below(t, 3) ? IPC_NOWAIT : 0) | (below(t, 3) ? 0 : MSG_NOERROR);
    long *message = (long *)memory_good(t);
    switch (below(t, 8)) {
    case 0:
        CALL3(SYS_msgctl, id, below(t, 14), memory_any(t));
        break;
    case 1:
        CALL3(SYS_msgctl, id, IPC_RMID, 0);
        break;
    case 2:
    case 3:
    case 4:
        *message = 1 + (long)below(t, 4);
        CALL6(SYS_msgsnd, id, below(t, 8) ? (long)message : memory_any(t),
              below(t, 2) ? below(t, 64) : below(t, 9000), flags, 0, 0);
        break;
    default:
        CALL6(SYS_msgrcv, id, memory_any(t), below(t, 9000), (long)below(t, 8) - 3,
              flags | (below(t, 4) ? 0 : 020000 << below(t, 2)), 0);
    }
}

void ipc_op(struct torturer *t) {
    if (below(t, 2))
        sem_op(t);
    else
        msg_op(t);
}
