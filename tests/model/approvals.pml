/* The life of one approved call among replicas that may die at any moment: claim, execute and sweep.
 *
 * Each statement is one step that others can come between; what is `atomic` is one update of the database. The names in
 * the comments are those of the code. With -DNON_ATOMIC the claim of an execution is a look and then a write, which
 * is the mistake that this design exists to avoid.
 *
 *   spin -a approvals.pml && gcc -O2 -o pan pan.c && ./pan -a -f -N settled
 */

mtype = { PENDING, APPROVED, DENIED, EXPIRED, CANCELLED, EXECUTING, DONE, UNKNOWN };

#ifndef CRASHES
#define CRASHES 2
#endif
#define NOBODY  0             /* -DALONE is one replica that makes rounds, else there are two */
#define FINAL   (state != PENDING && state != APPROVED && state != EXECUTING)

/* What the database holds. A claim that is NOBODY's is free, or its time is over. */
mtype state = PENDING;
byte revision = 1;
bool audited = true;          /* the entries of all steps so far stand */
byte writing = NOBODY;        /* claim_entry, or the step's own entry_until */
byte lease = NOBODY;          /* lease_until: who executes */
byte speaking = NOBODY;       /* claim_outbox */
byte shown = 1;               /* which revision the card shows */

/* What the world has seen. */
byte verdicts = 0;            /* decisions that anybody was told of */
byte recorded = 0;            /* audit entries of the decision */
byte begun = 0;               /* entries action.started */
byte calls = 0;               /* requests that reached the service */

bool over = false;            /* the time to decide */
byte crashes = 0;
bool stalled = false;         /* one execution was taken for dead although it lives */

/* The process is gone: nothing that it held is prolonged any more. */
#define MAY_DIE(there) \
  if \
  :: crashes < CRASHES -> \
       atomic { \
         crashes++; \
         if :: writing == me -> writing = NOBODY :: else fi; \
         if :: lease == me -> lease = NOBODY :: else fi; \
         if :: speaking == me -> speaking = NOBODY :: else fi; \
       }; \
       goto there \
  :: skip \
  fi

/* Outbox.speak: the right to speak, the card, and a note of what it shows. With -DSILENT nothing is said, which takes
 * nothing from the other promises and much from the time that it takes to look at them. */
#ifdef SILENT
#define SPEAK(there) skip
#else
#define SPEAK(there) \
  atomic { if :: speaking == NOBODY -> speaking = me :: else -> goto there fi }; \
  said = revision; \
  MAY_DIE(there); \
  atomic { \
    shown = said; \
    if :: speaking == me -> speaking = NOBODY :: else fi; \
  }
#endif

/* Executions.begin, Door.call, Executions.end. `known` says that the caller itself has seen the entry stand. */
#ifdef NON_ATOMIC
#define BEGIN(known, there) \
  if :: state == APPROVED && (known || audited) -> skip :: else -> goto there fi; \
  atomic { state = EXECUTING; revision++; audited = true; lease = me }
#else
#define BEGIN(known, there) \
  atomic { \
    if \
    :: state == APPROVED && (known || audited) -> state = EXECUTING; revision++; audited = true; lease = me \
    :: else -> goto there \
    fi; \
  }
#endif

#define EXECUTE(known, there) \
  BEGIN(known, there); \
  MAY_DIE(there); \
  assert(recorded > 0);       /* no audit, no act */ \
  begun++; \
  MAY_DIE(there); \
  assert(begun > calls); \
  calls++; \
  assert(calls <= 1);         /* at most one execution */ \
  MAY_DIE(there); \
  atomic { \
    if \
    :: state == EXECUTING -> state = DONE; revision++; lease = NOBODY \
    :: else -> skip           /* it was taken for dead: the outcome comes late, and is not written over */ \
    fi; \
  }; \
  SPEAK(there)

/* Voting._counted, or ApprovalService._end: one step from PENDING, on what was read. */
#define DECIDE(target, there) \
  atomic { \
    if \
    :: state == PENDING && revision == read -> \
         state = target; revision++; audited = false; writing = me; \
         verdicts++; \
         assert(verdicts <= 1) \
    :: else -> goto there \
    fi; \
  }

/* A click on its way through one replica. */
proctype Click(byte me; mtype verdict)
{
  byte read, said;

  read = revision;
  if :: over -> goto out :: else fi;
  DECIDE(verdict, out);
  MAY_DIE(out);
  recorded++;                 /* Entries.settle: nobody else writes the entry of this step */
  MAY_DIE(out);
  if
  :: verdict == APPROVED ->
       EXECUTE(true, out)
  :: else ->
       atomic { if :: revision == read + 1 -> audited = true :: else fi };
       SPEAK(out)
  fi;
out:
  skip
}

/* The round of one replica, again and again: Sweep, by what states.due says. */
proctype Round(byte me)
{
  byte read, said;
  mtype seen;
  bool owes;

again:
  said = 0;                   /* nothing is remembered from one round to the next */
  atomic { read = revision; seen = state; owes = !audited };
  if
  :: seen == PENDING && over ->
       DECIDE(EXPIRED, again);
       MAY_DIE(again);
       recorded++;
       MAY_DIE(again);
       atomic { if :: revision == read + 1 -> audited = true :: else fi }
  :: seen != PENDING && owes ->
       atomic {
         if
         :: revision == read && !audited && writing == NOBODY -> writing = me
         :: else -> goto again
         fi;
       };
       MAY_DIE(again);
       if :: recorded == 0 -> recorded++ :: else fi;     /* AuditWriter.recorded */
       MAY_DIE(again);
       atomic { if :: revision == read -> audited = true; writing = NOBODY :: else fi }
  :: seen == APPROVED && !owes ->
       EXECUTE(false, again)
  :: seen == EXECUTING && lease == NOBODY ->
       atomic {               /* Runner._left_behind: it may have been done, so it is not done again */
         if
         :: state == EXECUTING && revision == read && lease == NOBODY -> state = UNKNOWN; revision++
         :: else -> goto again
         fi;
       }
#ifndef SILENT
  :: FINAL && shown != revision ->
       SPEAK(again)
#endif
  :: else ->
       skip
  fi;
  goto again
}

/* Time passes: nobody may decide any more, and an execution that goes on may be taken for dead. */
proctype Time()
{
  over = true;
  atomic { if :: !stalled && lease != NOBODY -> stalled = true; lease = NOBODY :: else fi }
}

init {
  atomic {
    run Click(1, APPROVED);
    run Click(2, DENIED);     /* or whoever withdraws it */
    run Round(3);
#ifndef ALONE
    run Round(4);
#endif
    run Time();
  }
}

/* Whoever dies, in the end it is decided, on record once, and on the card. */
#ifdef SILENT
ltl settled { <>[] (FINAL && audited && recorded == 1) }
#else
ltl settled { <>[] (FINAL && audited && recorded == 1 && shown == revision) }
#endif
