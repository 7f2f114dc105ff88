#!/usr/bin/env python3
"""Checks a certificate of kmodcheck, and believes nothing but the steps of its system.

    kmodcheck verify CERTIFICATE --steps STEPS
    tools/verify/verify.py CERTIFICATE STEPS

Both formats and every rule are described in docs/certificates.md. Exit status: 0 accepted; 1 refused, with the
element and the reason; 2 a file that is not what it should be. What the steps do not say is refused."""

import hashlib, itertools, json, sys
from collections import Counter, defaultdict, deque, namedtuple

CALLERS, MOST = 3, 20_000  # Up to so many callers are enumerated, as long as there are so many configurations at most.
Choice = namedtuple("Choice", "shared local own effect way label violates violates_without_history")
Tag = namedtuple("Tag", "slot local")  # The slot is None for one of those in any number.
# From a shared state to a place (a shared state and slots) and a tag, taking some from those beside it and putting
# others there. `wakes`: None, or a queue and whether its sleepers wake (else nobody sleeps there).
Move = namedtuple("Move", "before place tag takes puts wakes")

class BadInput(Exception): pass
class Refused(Exception): pass

class Table(dict):
    def __missing__(self, key):
        raise Refused("steps", f"they do not say what becomes of {key}")

def keeps(rule):
    """Whether a rule is kept. All are: a test takes out one at a time, in a copy of this file."""
    return True

def shape(value, like, at):
    """Holds a value to a pattern: a number: below it; str; {p}: null or that; [p]: a list of these; (p, q): a list of
    two; {name: p}: an object with these fields; None: anything."""
    inner, good = [], True
    if isinstance(like, int):
        good, like = type(value) is int and 0 <= value < like, f"a number below {like}"
    elif like is str:
        good, like = isinstance(value, str), "a text"
    elif isinstance(like, set):
        inner = [] if value is None else [(at, value, *like)]
    elif isinstance(like, (list, tuple)):
        good = isinstance(value, list) and (isinstance(like, list) or len(value) == len(like))
        inner = [(f"{at}[{i}]", v, p) for i, (v, p) in enumerate(zip(value, itertools.cycle(like)))] if good else []
        like = "a list" if isinstance(like, list) else f"a list of {len(like)}"
    elif like is not None:
        good = isinstance(value, dict) and set(value) == set(like)
        inner = [(f"{at}.{name}", value[name], p) for name, p in like.items()] if good else []
        like = f"the fields {', '.join(like)}"
    if not good:
        raise BadInput(f"{at}: found {json.dumps(value)[:60]}, expected {like}")
    for inside, v, p in inner:
        shape(v, p, inside)

def read(file, name, version):
    try:
        with open(file, encoding="utf-8") as opened:
            once = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else "a field twice"
            value = json.load(opened, object_pairs_hook=once)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file}: {error}") from error
    found = (value.get("format"), value.get("version")) if isinstance(value, dict) else value
    if found != (name, version):
        raise BadInput(f"{file}: found {str(found)[:60]}, expected format '{name}' version {version}")
    return value

WORD, KIND, PROVED = 1 << 64, 256, [{"name": str, "statement": str}]
ABOUT = {"format": str, "version": 256, "properties": PROVED, "assumes": [str], "any_number": [KIND],
         "forgetful": [KIND], "scenario": None}

class Steps:
    """The system. Shared and local states are numbers here; the word 0 is a process that is not there."""
    def __init__(self, file):
        said = self.said = read(file, "kmodcheck-steps", 1)
        shape(said, {**ABOUT, "initial": None, "shared": [str], "locals": [(KIND, WORD)], "anonymous": None,
                     "wake": None, "labels": [str], "from": None}, file)
        shared, local, proved = len(said["shared"]), len(said["locals"]), len(said["properties"])
        choice = (shared, local, local, {(str, local + KIND)}, str, len(said["labels"]), [proved], [proved])
        shape([said[name] for name in ("initial", "anonymous", "wake", "from")],
              ({"shared": shared, "processes": [local]}, (local,) * local, [(KIND, ({local},) * local)],
               [{"locals": [local], "choices": [[choice]], "sees": [(shared, [local])]}]), file)
        self.labels, self.locals = said["labels"], [tuple(who) for who in said["locals"]]
        self.number = {who: n for n, who in enumerate(self.locals)}
        self.kind, self.nobody = [kind for kind, _ in self.locals], [word == 0 for _, word in self.locals]
        self.shared = {word: n for n, word in enumerate(said["shared"])}
        self.queues, self.choices, self.seen = Table(said["wake"]), Table(), Table()
        for here, line in enumerate(said["from"]):
            for who, choices in zip(line["locals"], line["choices"]):
                self.choices[here, who] = [Choice(*choice) for choice in choices]
            for after, seen in line["sees"]:
                self.seen.update(((here, after, who), to) for who, to in zip(line["locals"], seen))

    def sees(self, before, after, local):
        return local if before == after or self.nobody[local] else self.seen[before, after, local]
    def woken(self, local, queue):
        return None if self.nobody[local] else self.queues[queue][local]
    def anonymous(self, local):
        return local if self.nobody[local] else self.said["anonymous"][local]

class Checker:
    """The rules, in the order in which they are checked. A place is a shared state and the local states in slots."""
    def __init__(self, file, steps):
        self.steps, self.sees, self.woken, self.anonymous = steps, steps.sees, steps.woken, steps.anonymous
        self.kind, self.nobody, said = steps.kind, steps.nobody, steps.said
        self.many, self.forgetful = said["any_number"], said["forgetful"]
        self.processes = said["initial"]["processes"]
        self.slots = [who for who in self.processes if self.kind[who] not in self.many]
        self.crowds = list({self.kind[who]: who for who in self.processes if self.kind[who] in self.many}.values())
        self.initial = (said["initial"]["shared"], tuple(map(self.anonymous, self.slots)))
        self.initial_beside = {self.anonymous(who) for who in self.crowds if not self.nobody[who]}
        cert = self.cert = read(file, "kmodcheck-certificate", 2)
        words = [{"kind": KIND, "word": WORD}]
        shape(cert, {**ABOUT, "digest": str, "anonymous": words, "tags": words, "places": None}, file)
        shape(cert["places"], [{"shared": str, "slots": [WORD], "excluded": [[len(cert["anonymous"])]],
                                "tagged": [(len(cert["tags"]), {KIND})]}], f"{file}: places")
        # In the file's order; None for what is not in the steps.
        word = lambda name, at: steps.number.get((cert[name][at]["kind"], cert[name][at]["word"]))
        self.claimed, self.listed = [], []
        for line in cert["places"]:
            slots = [steps.number.get((self.kind[s], w)) for s, w in zip(self.slots, line["slots"])]
            fits = len(slots) == len(line["slots"]) == len(self.slots)
            place = (steps.shared.get(line["shared"]), tuple(slots)) if fits else None
            self.claimed += [(place, [word("anonymous", at) for at in element]) for element in line["excluded"]]
            self.listed += [(place, Tag(slot, word("tags", at))) for at, slot in line["tagged"]]

    def forgets(self, local):
        return self.kind[local] in self.forgetful
    def put(self, local):
        return () if self.nobody[local] else (self.anonymous(local),)

    def check_crowd(self):
        for kind in self.many:
            if keeps("BeginsAlike") and len({who for who in self.processes if self.kind[who] == kind}) != 1:
                raise Refused("any number", f"kind {kind} does not begin in one local state")
        if keeps("SomebodyWaits") and all(self.nobody[who] or self.forgets(who) for who in self.crowds):
            raise Refused("any number", "nobody of whom a property speaks comes in any number")

    def actors(self, tag, here):
        return [("tag", None)] * (tag is not None) + [("slot", i) for i in range(len(self.slots))] \
            + [("one", who) for who in sorted(here)]

    def moves(self, place, tag, actor, others):
        """Every way in which the actor can step: the choice, whether a process that it spawns has no place, and
        the move: None if the tagged process ends. `others`: who may be woken alone."""
        (before, slots), (what, i) = place, actor
        local = tag.local if what == "tag" else slots[i] if what == "slot" else i
        if self.nobody[local] or not keeps({"tag": "TagSteps", "slot": "SlotsStep", "one": "CrowdSteps"}[what]):
            return
        for choice in self.steps.choices[before, local]:
            after, own = choice.shared, choice.own if keeps("ActorSees") else choice.local
            slots_after = [self.anonymous(self.sees(before, after, s) if keeps("SlotsSee") else s) for s in slots]
            tag_after, takes, puts = tag, (), ()
            if what == "tag":
                tag_after = Tag(tag.slot, own)
            elif tag and keeps("TagSees"):
                tag_after = Tag(tag.slot, self.sees(before, after, tag.local))
            if what == "slot":
                slots_after[i] = self.anonymous(own)
            elif what == "one":
                takes, puts = (i,), self.put(own)
            plain = Move(before, (after, tuple(slots_after)), tag_after, takes, puts, None)
            for no_place, how in self.effects(choice.effect, plain, actor, own, others):
                yield choice, no_place, None if how.tag and self.nobody[how.tag.local] else how

    def in_slot(self, how, i, local):
        shared, slots = how.place
        return how._replace(place=(shared, slots[:i] + (self.anonymous(local),) + slots[i + 1:]))

    def effects(self, effect, plain, actor, own, others):
        name, queue = effect or (None, None)
        if name in (None, "spawn"):
            yield from self.spawn(plain, actor, queue, own) if name else [(False, plain)]
            return
        # Who steps does not wake himself.
        itself = plain.tag is None or actor[0] == "tag" and keeps("TagSleepsOn")
        tag = None if itself else self.woken(plain.tag.local, queue)
        slots = [None if actor == ("slot", i) and keeps("SlotSleepsOn") else self.woken(s, queue)
                 for i, s in enumerate(plain.place[1])]
        slots = {i: woken for i, woken in enumerate(slots) if woken is not None}
        if name == "wake-all":
            how = plain._replace(wakes=(queue, True))
            if tag is not None and keeps("AllWakesTag"):
                how = how._replace(tag=plain.tag._replace(local=tag))
            for i in slots if keeps("AllWakesSlots") else ():
                how = self.in_slot(how, i, slots[i])
            yield False, how
            return
        if tag is not None and keeps("OneWakesTag"):
            yield False, plain._replace(tag=plain.tag._replace(local=tag))
        for i in slots if keeps("OneWakesSlot") else ():
            yield False, self.in_slot(plain, i, slots[i])
        for who in sorted(others) if keeps("OneWakesCrowd") else ():
            woken = self.woken(self.sees(plain.before, plain.place[0], who), queue)
            if woken is not None:
                yield False, plain._replace(takes=plain.takes + (who,), puts=plain.puts + self.put(woken))
        if tag is None and not slots and keeps("OneWakesNobody"):
            yield False, plain._replace(wakes=(queue, False))

    def spawn(self, plain, actor, local, own):
        kind, tag, free = self.kind[local], plain.tag, None  # Spawned in any number, or into the first free slot.
        if kind not in self.many:
            holds = lambda i: tag and tag.slot == i or actor == ("slot", i) and keeps("ActorHoldsSlot")
            free = next((i for i, s in enumerate(plain.place[1])
                         if self.kind[s] == kind and self.nobody[s] and not holds(i)), None)
            if free is None:
                return (yield keeps("SpawnHasPlace"), plain)
        stays, follows = plain, not self.forgets(local)
        if free is None and keeps("SpawnsIntoCrowd"):
            stays = plain._replace(puts=plain.puts + self.put(local))
        elif free is not None and keeps("SpawnsIntoSlot"):
            stays = self.in_slot(plain, free, local)
        yield follows and self.forgets(own) and keeps("ForgetfulSpawnsForgetful"), stays
        if actor[0] == "tag" and follows and keeps("HeirIsTagged"):
            moves = plain._replace(tag=Tag(free, local))
            if tag.slot is None:
                moves = moves._replace(puts=moves.puts + self.put(own))
            elif keeps("ParentStaysInSlot"):
                moves = self.in_slot(moves, tag.slot, own)
            yield False, moves

    def bystander(self, who, how):
        """What becomes of somebody who takes no part, as a tuple; None if the step cannot be taken beside him."""
        who = self.sees(how.before, how.place[0], who) if keeps("CrowdSees") else who
        woken = self.woken(who, how.wakes[0]) if how.wakes else None
        if woken is None:
            return self.put(who)
        return self.put(woken if keeps("AllWakesCrowd") else who) if how.wakes[1] else None

    def tabulate(self):
        """Every place, and who can stand beside it, everybody taken for himself and in any number."""
        self.beside, queue = {self.initial: set(self.initial_beside)}, deque([self.initial])
        while queue:
            place = queue.popleft()
            here, passed = frozenset(self.beside[place]), {}
            for actor in self.actors(None, here):
                for _, _, how in self.moves(place, None, actor, here):
                    there, passage = self.beside.get(how.place), (how.place[0], how.wakes)
                    if passage not in passed:
                        passed[passage] = {to for who in here for to in self.bystander(who, how) or ()}
                    arrive = set(how.puts if keeps("PutsArrive") else ())
                    arrive |= passed[passage] if keeps("BystandersArrive") else set()
                    if there is None or not arrive <= there:
                        self.beside[how.place] = arrive | (there or set())
                        if how.place not in queue and (there is None or keeps("TableIsClosed")):
                            queue.append(how.place)

    def check_excluded(self):
        self.excluded = defaultdict(list)
        for n, (place, others) in enumerate(self.claimed):
            if place not in self.beside:
                raise Refused(f"excluded element {n}", "its control state is not in the checker's table")
            if not self.beside[place].issuperset(others):
                raise Refused(f"excluded element {n}", f"{others}: one is not in the checker's table there")
            if keeps("NotInitial") and place == self.initial and self.initial_beside.issuperset(others):
                raise Refused(f"excluded element {n}", "it contains an initial configuration")
            self.excluded[place].append((n, others))

    def covered(self, place, everybody):
        """Whether a configuration is excluded: it has everybody of an element, each at least as often."""
        return any(all(everybody.count(who) >= element.count(who) for who in element)
                   for _, element in self.excluded.get(place, ()))

    def check_closed(self):
        """The least configurations from which a step leads into an excluded element are excluded."""
        self.predecessors = 0
        for place, here in self.beside.items():
            for actor in self.actors(None, here):
                for _, _, how in self.moves(place, None, actor, here):
                    origins = defaultdict(list)
                    for who in sorted(here) if how.place in self.excluded else ():
                        for to in self.bystander(who, how) or ():
                            origins[to] += [who] if keeps("EveryOrigin") or not origins[to] else []
                    for n, element in self.excluded.get(how.place, ()):
                        rest = Counter(element) - Counter(how.puts if keeps("EveryPut") else how.puts[:1])
                        for least in itertools.product(*(origins[who] for who in rest.elements())):
                            self.predecessors += 1
                            if keeps("Closed") and not self.covered(place, how.takes + least):
                                raise Refused(f"excluded element {n}", "a step leads into it from "
                                              f"{self.words(place, how.takes + least)}, which is not excluded")

    def words(self, place, *many):
        names = [", ".join(f"({kind}, {word:#x})" for kind, word in (self.steps.locals[who] for who in all_))
                 for all_ in (place[1], *many)]
        return f"{self.steps.said['shared'][place[0]]} slots [{names[0]}] with [{'; '.join(names[1:])}]"

    def untagged(self, place, tag):
        """The place with the tagged process in its slot, or the tagged process as one of those beside it."""
        plain = self.anonymous(tag.local)
        if tag.slot is None:
            return place, (plain,)
        return (place[0], place[1][:tag.slot] + (plain,) + place[1][tag.slot + 1:]), ()

    def initial_tagged(self):
        for slot, who in [(None, who) for who in self.crowds] + list(enumerate(self.slots)):
            begins = keeps("InitialOfCrowd" if slot is None else "InitialInSlot")
            if begins and not self.nobody[who] and not self.forgets(who):
                dormant = lambda s: self.steps.number[self.kind[s], 0]
                slots = (dormant(s) if i == slot else s for i, s in enumerate(self.initial[1]))
                yield (self.initial[0], tuple(slots)), Tag(slot, who)

    def check_tagged(self):
        self.known, self.taken = set(self.listed), 0
        for place, tag in self.initial_tagged():
            if (place, tag) not in self.known:
                raise Refused("tagged", f"the initial {self.words(place, [tag.local])} is missing")
        for n, (place, tag) in enumerate(self.listed):
            self.named(f"tagged control state {n}", self.check_tag, place, tag)

    def named(self, element, check, *arguments):
        """What is refused is refused as this element."""
        try:
            return check(*arguments)
        except Refused as refused:
            raise Refused(element, refused.args[1]) from None

    def check_tag(self, place, tag):
        known = place and tag.local is not None and None not in place[1]
        fits = known and (tag.slot is None or tag.slot < len(self.slots) and self.nobody[place[1][tag.slot]]
                          and self.kind[self.slots[tag.slot]] == self.kind[tag.local])
        at, me = self.untagged(place, tag) if fits and not self.nobody[tag.local] else (None, ())
        if at not in self.beside or not self.beside[at].issuperset(me) or self.forgets(tag.local):
            raise Refused("tag", "it is not of the system's shape, or not in the checker's table")
        # What the tagged process does, sees and is woken to is that of its anonymous self, but for history.
        plain, here = self.anonymous, {who for who in self.beside[at] if not self.covered(at, (who,) + me)}
        if keeps("AnonymousIsSomebody") and self.nobody[plain(tag.local)]:
            raise Refused("tag", "its tagged process is nobody without its history")
        forget = lambda effect: effect and (effect[0], plain(effect[1]) if effect[0] == "spawn" else effect[1])
        way = lambda c: (c.shared, plain(c.own), forget(c.effect), c.way, c.label)
        ways = lambda local: [way(choice) for choice in self.steps.choices[place[0], local]]
        if keeps("StepForgets") and ways(tag.local) != ways(plain(tag.local)):
            raise Refused("tag", "a step of its tagged process depends on history")
        for actor in self.actors(tag, here):
            for choice, no_place, how in self.moves(place, tag, actor, here):
                if how and self.covered(at, how.takes + me):
                    continue
                self.taken += 1
                self.check_step(actor, choice, no_place, how)
                seen, seen_plain = (self.sees(place[0], choice.shared, who) for who in (tag.local, plain(tag.local)))
                if keeps("SightForgets") and plain(seen) != plain(seen_plain):
                    raise Refused("tag", f"what it sees of {self.steps.labels[choice.label]} depends on history")
                if choice.effect and choice.effect[0] != "spawn" and keeps("WakeForgets"):
                    woken = [self.woken(who, choice.effect[1]) for who in (seen, plain(seen))]
                    if len({who if who is None else plain(who) for who in woken}) > 1:
                        raise Refused("tag", f"how {self.steps.labels[choice.label]} wakes it depends on history")

    def check_step(self, actor, choice, no_place, how):
        tagged, bad = actor[0] == "tag", ()
        if keeps("TagJudged" if tagged else "ForgetfulJudged"):
            bad = choice.violates if tagged else choice.violates_without_history if self.forgets(choice.local) else ()
        left = how is None and not tagged and self.forgetful and keeps("EndsByItself")
        unlisted = how and (how.place, how.tag) not in self.known and keeps("Listed")
        for wrong, why in ((bad, "from it is a violation"), (no_place, "spawns a process without a place"),
                           (left, "of another process ends its tagged process"), (unlisted, "leads from it to ")):
            if wrong:
                to = f"{self.words(how.place, [how.tag.local])}, which is not listed" if wrong is unlisted else ""
                raise Refused("step", f"the step {self.steps.labels[choice.label]} {why}{to}")

    def successors(self, place, tag, others):
        """Of one configuration with exactly these beside: each is inside the invariant."""
        found, distinct = set(), set(others)
        for actor in self.actors(tag, distinct):
            for choice, no_place, how in self.moves(place, tag, actor, distinct):
                rest = Counter(others)
                rest.subtract(how.takes if how else ())
                stay = [self.bystander(who, how) for who in rest.elements()] if how else []
                if None in stay or min(rest.values(), default=0) < 0:
                    continue
                self.check_step(actor, choice, no_place, how)
                if how:
                    rest, (at, me) = tuple(sorted(sum(stay, how.puts))), self.untagged(how.place, how.tag)
                    if self.covered(at, rest + me):
                        raise Refused("step", f"the step {self.steps.labels[choice.label]} leads to an excluded one")
                    found.add((how.place, how.tag, rest))
        return found

    def enumerated(self, place, tag, others):
        element = f"enumerated {self.words(place, [tag.local], others)}"
        return self.named(element, self.successors, place, tag, others)

    def enumerate(self):
        """By number of callers, how many configurations the invariant has: no step leads out of it."""
        now, counts = [(place, tag, ()) for place, tag in self.listed], []
        while len(now) <= MOST:
            for configuration in now:
                self.enumerated(*configuration)
            counts.append(len(now))
            if len(counts) == CALLERS:
                break
            now = [(place, tag, (*others, who)) for place, tag, others in now
                   for at, me in [self.untagged(place, tag)] for who in self.beside[at]
                   if others[-1:] <= (who,) and not self.covered(at, (*others, who) + me)]
        return counts

    def explore(self):
        """By number of callers, how many configurations are reached: each is in the invariant."""
        reached, counts = set(), []
        while len(reached) <= MOST and len(counts) < CALLERS:
            many = lambda tag, who: len(counts) + 1 - (tag.slot is None and self.kind[who] == self.kind[tag.local])
            beside = lambda tag: (one for who in self.crowds for one in self.put(who) * many(tag, who))
            queue = [(place, tag, tuple(sorted(beside(tag)))) for place, tag in self.initial_tagged()]
            reached = set(queue)
            while queue and len(reached) <= MOST:
                new = self.enumerated(*queue.pop()) - reached
                reached |= new
                queue += new
            counts += [len(reached)] if not queue else []
        return counts

    def same(self, name, expected):
        found, expected = (json.dumps(value, sort_keys=True) for value in (self.cert[name], expected))
        if found != expected:
            at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), 0)
            raise Refused(name, f"found ...{found[at:at + 60]}, expected ...{expected[at:at + 60]}")

    def check_written(self):
        """All else that the file says is what the steps say, and there is one way to write a claim down."""
        cert, said = self.cert, self.steps.said
        content = {"format": cert["format"], "version": cert["version"], "digest": ""}
        content |= {name: said[name] for name in ("properties", "assumes", "scenario", "any_number", "forgetful")}
        used = {"anonymous": (at for line in cert["places"] for element in line["excluded"] for at in element),
                "tags": (at for line in cert["places"] for at, _ in line["tagged"])}
        for name, numbers in used.items():
            words = sorted({(cert[name][at]["kind"], cert[name][at]["word"]) for at in numbers})
            content[name] = [{"kind": kind, "word": word} for kind, word in words]
            self.same(name, content[name])
        # From here on numbers are in the order of words.
        by_slot = lambda tagged: (cert["tags"][tagged[0]]["kind"], -1 if tagged[1] is None else tagged[1], tagged[0])
        lines = {(self.steps.shared.get(line["shared"], -1), *line["slots"]): {
            "shared": line["shared"], "slots": line["slots"],
            "excluded": sorted(map(list, {tuple(sorted(element)) for element in line["excluded"]})),
            "tagged": sorted(map(list, set(map(tuple, line["tagged"]))), key=by_slot)} for line in cert["places"]}
        content["places"] = [line for _, line in sorted(lines.items()) if line["excluded"] or line["tagged"]]
        for name in set(content) - {"digest"}:
            self.same(name, content[name])
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        self.same("digest", hashlib.sha256(text.encode()).hexdigest())

def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        steps = Steps(arguments[1])
        checker = Checker(arguments[0], steps)
        checker.same("scenario", steps.said["scenario"])
        checker.check_crowd()
        checker.tabulate()
        checker.check_excluded()
        checker.check_closed()
        checker.check_tagged()
        print(f"inductive: {len(checker.beside)} places, {len(checker.claimed)} excluded elements, {checker.predecessors} "
              f"before them; {len(checker.listed)} tagged control states, {checker.taken} steps", flush=True)
        by = lambda counts: ", ".join(f"{n}: {count}" for n, count in enumerate(counts, 1))
        print(f"invariant, by callers: {by(checker.enumerate())}; reached: {by(checker.explore())}", flush=True)
        checker.check_written()
        print(f"accepted, if the steps are the system's: {', '.join(p['name'] for p in steps.said['properties'])}")
        return 0
    except BadInput as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return 2
    except Refused as refused:
        print(f"verify.py: {arguments[0]}: refused: {': '.join(refused.args)}", file=sys.stderr)
        return 1

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
