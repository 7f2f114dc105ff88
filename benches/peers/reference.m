-- The reference model for rumur. N is set by the program that runs it.

const N: 2;

type
  caller: scalarset(N);
  place: enum { Idle, Check, Open, Stat, Read, Add, Wait, SetComing, MkDir, MkInitstate, RunInit,
                SetLive, SetGoing, RmInitstate, RmDir, RmList, Exit0, Exit1, DoneOk, DoneNull,
                DoneErr };
  state: enum { Absent, Unformed, Coming, Live, Going };

var
  at: array[caller] of place;
  m: state;
  dir: boolean;
  ini: boolean;
  fs: boolean;
  failed: boolean;

startstate begin
  for c: caller do at[c] := Idle; end;
  m := Absent;
  dir := false;
  ini := false;
  fs := false;
  failed := false;
end;

ruleset c: caller do
  rule "Idle" at[c] = Idle ==> begin at[c] := Check; end;
  rule "Check" at[c] = Check ==> begin if fs then at[c] := DoneOk; else at[c] := Open; end; end;
  rule "Open" at[c] = Open ==> begin if ini then at[c] := Read; else at[c] := Stat; end; end;
  rule "Stat" at[c] = Stat ==> begin if dir then at[c] := Exit0; else at[c] := Add; end; end;
  rule "Read" at[c] = Read ==> begin
    if m = Live then at[c] := Exit0; else at[c] := Add; end;
  end;
  rule "Add" at[c] = Add ==> begin
    if m = Absent then
      m := Unformed;
      at[c] := SetComing;
    elsif m = Live | m = Going then
      at[c] := Exit0;
    else
      at[c] := Wait;
    end;
  end;
  rule "Wait" at[c] = Wait & (m = Live | m = Absent) ==> begin at[c] := Add; end;
  rule "SetComing" at[c] = SetComing ==> begin m := Coming; at[c] := MkDir; end;
  rule "MkDir" at[c] = MkDir ==> begin dir := true; at[c] := MkInitstate; end;
  rule "MkInitstate" at[c] = MkInitstate ==> begin ini := true; at[c] := RunInit; end;
  rule "RunInit, well" at[c] = RunInit ==> begin fs := true; at[c] := SetLive; end;
  rule "RunInit, badly" at[c] = RunInit ==> begin failed := true; at[c] := SetGoing; end;
  rule "SetLive" at[c] = SetLive ==> begin m := Live; at[c] := Exit0; end;
  rule "SetGoing" at[c] = SetGoing ==> begin m := Going; at[c] := RmInitstate; end;
  rule "RmInitstate" at[c] = RmInitstate ==> begin ini := false; at[c] := RmDir; end;
  rule "RmDir" at[c] = RmDir ==> begin dir := false; at[c] := RmList; end;
  rule "RmList" at[c] = RmList ==> begin m := Absent; at[c] := Exit1; end;
  rule "Exit0" at[c] = Exit0 ==> begin
    if fs then at[c] := DoneOk; else at[c] := DoneNull; end;
  end;
  rule "Exit1" at[c] = Exit1 ==> begin at[c] := DoneErr; end;
end;
