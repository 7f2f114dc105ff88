/* The reference model for SPIN: a caller's place is its program counter. One step of the model is
 * one statement or one d_step; nobody ends, so that there are no steps for ending. N is given on the
 * command line. */

mtype = { Absent, Unformed, Coming, Live, Going };

mtype module = Absent;
bit dir, ini, fs, failed;

active [N] proctype caller()
{
	skip;					/* Idle */
Check:
	if
	:: fs -> goto end_DoneOk
	:: !fs -> goto Open
	fi;
Open:
	if
	:: ini -> goto Read
	:: !ini -> goto Stat
	fi;
Stat:
	if
	:: dir -> goto Exit0
	:: !dir -> goto Add
	fi;
Read:
	if
	:: module == Live -> goto Exit0
	:: module != Live -> goto Add
	fi;
Add:
	if
	:: d_step { module == Absent -> module = Unformed } -> goto SetComing
	:: module == Live || module == Going -> goto Exit0
	:: module == Unformed || module == Coming -> goto end_Wait
	fi;
end_Wait:
	module == Live || module == Absent -> goto Add;
SetComing:
	module = Coming;
	dir = 1;				/* MkDir */
	ini = 1;				/* MkInitstate */
	if					/* RunInit */
	:: fs = 1 -> goto SetLive
	:: failed = 1 -> goto SetGoing
	fi;
SetLive:
	module = Live -> goto Exit0;
SetGoing:
	module = Going;
	ini = 0;				/* RmInitstate */
	dir = 0;				/* RmDir */
	module = Absent;			/* RmList */
	skip;					/* Exit1 */
end_DoneErr:
	false;
Exit0:
	if
	:: fs -> goto end_DoneOk
	:: !fs -> goto end_DoneNull
	fi;
end_DoneNull:
	false;
end_DoneOk:
	false
}
