#!/usr/bin/env python3
"""Checks a certificate of kmodcheck, and believes nothing but the steps of its system.

    kmodcheck verify CERTIFICATE --steps STEPS; tools/verify/verify.py CERTIFICATE STEPS

Both formats and every rule are described in docs/certificates.md. Exit status: 0 accepted; 1 refused, with the
element and the reason; 2 a file that is not what it should be. What the steps do not say is refused."""

import hashlib, itertools, json, sys
from collections import Counter, defaultdict, deque, namedtuple

CALLERS, MOST = 3, 50_000  # Up to so many callers are enumerated, as long as there are so many configurations at most.
WORD, KIND, PROVED = 1 << 64, 256, [{"name": str, "statement": str}]
ABOUT = dict(format=str, version=99, properties=PROVED, assumes=[str], scenario=None, any_number=[KIND],
             forgetful=[KIND])
Choice = namedtuple("Choice", "shared local own effect way label violates violates_without_history")
Tag = namedtuple("Tag", "slot local")  # The slot is None for one of those in any number.
# To a place (a shared state and slots) and a tag, taking some from those beside the place before and putting others
# beside this one. `wakes`: None, or a queue and whether its sleepers wake (else nobody sleeps there).
Move = namedtuple("Move", "before place tag takes puts wakes")

class BadInput(Exception): status = 2
class Refused(Exception): status = 1
class Table(dict):
    def __missing__(self, key):
        raise Refused("refused: steps", f"they do not say what becomes of {key}")

def keeps(rule):
    """Whether a rule is kept. All are: a test takes out one at a time, in a copy of this file."""
    return True

def shape(value, like, at):
    """Holds a value to a pattern: a number: below it; str; "a b": one of these words; {p}: null or that; [p]: a list
    of these; (p, q): a list of two; {name: p}: an object with these fields; None: anything."""
    inner, good = [], True
    if isinstance(like, int):
        good, like = type(value) is int and 0 <= value < like, f"a number below {like}"
    elif like is str or isinstance(like, str):
        good = isinstance(value, str) and (like is str or value in like.split())
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
    once = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else "a field twice"
    try:
        value = json.loads(open(file, "rb").read(), object_pairs_hook=once)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file}: {error}") from error
    found = (value.get("format"), value.get("version")) if isinstance(value, dict) else value
    if found != (name, version):
        raise BadInput(f"{file}: found {str(found)[:60]}, expected format '{name}' version {version}")
    return value

class Steps:
    """The system. Shared and local states are numbers here; the word 0 is a process that is not there."""
    def __init__(self, file):
        said = self.said = read(file, "kmodcheck-steps", 1)
        shape(said, {**ABOUT, "initial": None, "shared": [str], "locals": [(KIND, WORD)], "anonymous": None,
                     "wake": None, "labels": [str], "from": None}, file)
        shared, local, proved = len(said["shared"]), len(said["locals"]), len(said["properties"])
        effect = {("wake-all wake-one spawn", max(local, KIND))}
        choice = (shared, local, local, effect, str, len(said["labels"]), [proved], [proved])
        shape({name: said[name] for name in ("initial", "anonymous", "wake", "from")},
              {"initial": {"shared": shared, "processes": [local]}, "anonymous": (local,) * local,
               "wake": [(KIND, ({local},) * local)],
               "from": [{"locals": [local], "choices": [[choice]], "sees": [(shared, [local])]}]}, file)
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
        self.sees = lambda old, new, who: who if old == new or self.nobody[who] else self.seen[old, new, who]
        self.woken = lambda who, queue: None if self.nobody[who] else self.queues[queue][who]
        self.anonymous = lambda who: who if self.nobody[who] else said["anonymous"][who]

class Checker:
    """The rules. A place is a shared state and the local states in slots, without history."""
    def __init__(self, file, steps):
        self.steps, self.sees, self.woken, self.anonymous = steps, steps.sees, steps.woken, steps.anonymous
        self.kind, self.nobody, self.words, said = steps.kind, steps.nobody, steps.said["shared"], steps.said
        self.many, self.forgets = said["any_number"], lambda who: self.kind[who] in said["forgetful"]
        self.put = lambda who: () if self.nobody[who] else (self.anonymous(who),)
        self.processes = said["initial"]["processes"]
        self.slots = [who for who in self.processes if self.kind[who] not in self.many]
        self.crowds = list({self.kind[who]: who for who in self.processes if self.kind[who] in self.many}.values())
        self.initial = (said["initial"]["shared"], tuple(map(self.anonymous, self.slots)))
        self.initial_beside = {one for who in self.crowds for one in self.put(who)}
        cert = self.cert = read(file, "kmodcheck-certificate", 2)
        words = [{"kind": KIND, "word": WORD}]
        shape(cert, {**ABOUT, "digest": str, "anonymous": words, "tags": words, "places": None}, file)
        shape(cert["places"], [{"shared": str, "slots": [WORD], "excluded": [[len(cert["anonymous"])]],
                                "tagged": [(len(cert["tags"]), {KIND})]}], f"{file}: places")
        # What is claimed, in the file's order; None for what is not in the steps.
        word = lambda name, at: steps.number.get((cert[name][at]["kind"], cert[name][at]["word"]))
        self.claimed, self.listed = [], []
        for line in cert["places"]:
            slots = tuple(steps.number.get((self.kind[s], w)) for s, w in zip(self.slots, line["slots"]))
            place = (steps.shared.get(line["shared"]), slots) if len(line["slots"]) == len(self.slots) else None
            self.claimed += [(place, [word("anonymous", at) for at in element]) for element in line["excluded"]]
            self.listed += [(place, Tag(slot, word("tags", at))) for at, slot in line["tagged"]]

    def refuse(self, wrong, why):
        if wrong:
            raise Refused(f"refused: {self.element}", why)
    def check_crowd(self):
        self.element = "any number"
        for kind in self.many:
            differ = len({who for who in self.processes if self.kind[who] == kind}) != 1 and keeps("BeginsAlike")
            self.refuse(differ, f"kind {kind} does not begin in one local state")
        nobody = all(self.nobody[who] or self.forgets(who) for who in self.crowds) and keeps("SomebodyWaits")
        self.refuse(nobody, "nobody of whom a property speaks comes in any number")

    def moves(self, place, tag, here):
        """Every way in which somebody can step, of the tagged process, those in slots, and those who are here: who it
        is, the choice, whether a process that it spawns has no place, and the move: None if the tagged one ends."""
        before, slots = place
        actors = [("TagSteps", tag.local, None)] if tag else []
        actors += [("SlotsStep", who, i) for i, who in enumerate(slots)]
        actors += [("CrowdSteps", who, None) for who in sorted(here)]
        for actor, local, at in (a for a in actors if keeps(a[0]) and not self.nobody[a[1]]):
            for choice in self.steps.choices[before, local]:
                after, own = choice.shared, choice.own if keeps("ActorSees") else choice.local
                to = [self.anonymous(self.sees(before, after, s) if keeps("SlotsSee") else s) for s in slots]
                sees = own if actor == "TagSteps" or not tag else self.sees(before, after, tag.local)
                tag_to = Tag(tag.slot, sees) if tag and (actor == "TagSteps" or keeps("TagSees")) else tag
                takes, puts = ((local,), self.put(own)) if actor == "CrowdSteps" else ((), ())
                if actor == "SlotsStep":
                    to[at] = self.anonymous(own)
                plain = Move(before, (after, tuple(to)), tag_to, takes, puts, None)
                for no_place, how in self.effects(choice.effect, plain, actor == "TagSteps", at, own, here):
                    yield actor, choice, no_place, None if how.tag and self.nobody[how.tag.local] else how
    def in_slot(self, place, i, local):
        return place[0], place[1][:i] + (self.anonymous(local),) + place[1][i + 1:]
    def one_more(self, how, slot, local):
        """Somebody in a slot after the move, or one more beside it."""
        if slot is None:
            return how._replace(puts=how.puts + self.put(local))
        return how._replace(place=self.in_slot(how.place, slot, local))
    def effects(self, effect, plain, tagged, at, own, here):
        """Every move that a way to step makes; `at`: the slot of who steps, `own`: his local state afterwards."""
        name, queue = effect or (None, None)
        if name in (None, "spawn"):
            yield from self.spawn(plain, tagged, at, own, queue) if name else [(False, plain)]
            return
        # Who steps does not wake himself.
        tag = None if not plain.tag or tagged and keeps("TagSleepsOn") else self.woken(plain.tag.local, queue)
        slots = [(i, self.woken(s, queue)) for i, s in enumerate(plain.place[1])]
        slots = [(i, woken) for i, woken in slots if woken is not None and not (i == at and keeps("SlotSleepsOn"))]
        if name == "wake-all":
            how = plain._replace(wakes=(queue, True))
            if tag is not None and keeps("AllWakesTag"):
                how = how._replace(tag=plain.tag._replace(local=tag))
            for i, woken in slots if keeps("AllWakesSlots") else ():
                how = self.one_more(how, i, woken)
            yield False, how
            return
        if tag is not None and keeps("OneWakesTag"):
            yield False, plain._replace(tag=plain.tag._replace(local=tag))
        for i, woken in slots if keeps("OneWakesSlot") else ():
            yield False, self.one_more(plain, i, woken)
        for who in sorted(here) if keeps("OneWakesCrowd") else ():
            woken = self.woken(self.sees(plain.before, plain.place[0], who), queue)
            if woken is not None:
                yield False, self.one_more(plain._replace(takes=plain.takes + (who,)), None, woken)
        if tag is None and not slots and keeps("OneWakesNobody"):
            yield False, plain._replace(wakes=(queue, False))
    def spawn(self, plain, tagged, at, own, local):
        kind, tag, free = self.kind[local], plain.tag, None  # Spawned in any number, or into the first free slot.
        if kind not in self.many:
            held = [tag.slot if tag else None, at if keeps("ActorHoldsSlot") else None]
            free = next((i for i, s in enumerate(plain.place[1])
                         if self.kind[s] == kind and self.nobody[s] and i not in held), None)
            if free is None:
                return (yield keeps("SpawnHasPlace"), plain)
        follows, into = not self.forgets(local), keeps("SpawnsIntoCrowd" if free is None else "SpawnsIntoSlot")
        lost = follows and self.forgets(own) and keeps("ForgetfulSpawnsForgetful")
        yield lost, self.one_more(plain, free, local) if into else plain
        if tagged and follows and keeps("HeirIsTagged"):
            heir, stays = plain._replace(tag=Tag(free, local)), tag.slot is None or keeps("ParentStaysInSlot")
            yield False, self.one_more(heir, tag.slot, own) if stays else heir
    def bystander(self, who, how):
        """What becomes of somebody who takes no part, as a tuple; None if the step cannot be taken beside him."""
        who = self.sees(how.before, how.place[0], who) if keeps("CrowdSees") else who
        woken = self.woken(who, how.wakes[0]) if how.wakes else None
        if woken is None or how.wakes[1]:
            return self.put(who if woken is None or not keeps("AllWakesCrowd") else woken)
        return None

    def tabulate(self):
        """Every place, and who can stand beside it, everybody taken for himself and in any number."""
        self.beside, queue = {self.initial: self.initial_beside}, deque([self.initial])
        while queue:
            place = queue.popleft()
            here, passed = self.beside[place], {}
            for _, _, _, how in self.moves(place, None, here):
                there, passage = self.beside.get(how.place), (how.place[0], how.wakes)
                if passage not in passed:
                    passed[passage] = {to for who in here for to in self.bystander(who, how) or ()}
                arrive = set(how.puts if keeps("PutsArrive") else ())
                arrive.update(passed[passage] if keeps("BystandersArrive") else ())
                if there is None or not arrive <= there:
                    self.beside[how.place] = arrive | (there or set())
                    if how.place not in queue and (there is None or keeps("TableIsClosed")):
                        queue.append(how.place)
    def check_excluded(self):
        self.excluded = defaultdict(list)
        for n, (place, others) in enumerate(self.claimed):
            self.element = f"excluded element {n}"
            known = place in self.beside and self.beside[place].issuperset(others)
            self.refuse(not known, "its place, or a process, is not in the checker's table")
            initial = place == self.initial and self.initial_beside.issuperset(others)
            self.refuse(keeps("NotInitial") and initial, "it contains an initial configuration")
            self.excluded[place].append((n, others))
    def covered(self, place, everybody):
        """Whether a configuration is excluded: it has everybody of an element, each at least as often."""
        return any(all(everybody.count(who) >= element.count(who) for who in element)
                   for _, element in self.excluded.get(place, ()))
    def check_closed(self):
        """The least configurations from which a step leads into an excluded element are excluded."""
        self.predecessors = 0
        for place, here in self.beside.items():
            for _, _, _, how in self.moves(place, None, here):
                origins = defaultdict(list)
                for who in sorted(here) if how.place in self.excluded else ():
                    for to in self.bystander(who, how) or ():
                        origins[to] += [who] if keeps("EveryOrigin") or not origins[to] else []
                for n, element in self.excluded.get(how.place, ()):
                    rest = Counter(element) - Counter(how.puts if keeps("EveryPut") else how.puts[:1])
                    for least in itertools.product(*(origins[who] for who in rest.elements())):
                        self.predecessors += 1
                        if keeps("Closed") and not self.covered(place, how.takes + least):
                            self.element, name = f"excluded element {n}", self.name(place, how.takes + least)
                            self.refuse(True, f"a step leads into it from {name}, which is not excluded")
    def name(self, place, *many):
        slots, *beside = (", ".join("(%d, %#x)" % self.steps.locals[who] for who in all_) for all_ in (place[1], *many))
        return f"{self.words[place[0]]} slots [{slots}] with [{'; '.join(beside)}]"
    def untagged(self, place, tag):
        """The place with the tagged process in its slot, or the tagged process as one of those beside it."""
        beside = tag.slot is None
        return (place, (self.anonymous(tag.local),)) if beside else (self.in_slot(place, tag.slot, tag.local), ())
    def initial_tagged(self):
        for slot, who in [(None, who) for who in self.crowds] + list(enumerate(self.slots)):
            counts = keeps("InitialOfCrowd" if slot is None else "InitialInSlot") and not self.forgets(who)
            if counts and not self.nobody[who]:
                dormant = self.steps.number[self.kind[who], 0]
                yield self.initial if slot is None else self.in_slot(self.initial, slot, dormant), Tag(slot, who)

    def check_tagged(self):
        self.known, self.taken, self.element = set(self.listed), 0, "tagged"
        for place, tag in self.initial_tagged():
            self.refuse((place, tag) not in self.known, f"the initial {self.name(place, [tag.local])} is missing")
        for n, (place, tag) in enumerate(self.listed):
            self.element = f"tagged control state {n}"
            fits = place and None not in (tag.local, *place[1]) and not self.nobody[tag.local] and (
                tag.slot is None or tag.slot < len(self.slots) and self.nobody[place[1][tag.slot]]
                and self.kind[self.slots[tag.slot]] == self.kind[tag.local])
            at, me = self.untagged(place, tag) if fits else (None, ())
            known = at in self.beside and self.beside[at].issuperset(me) and not self.forgets(tag.local)
            self.refuse(not known, "it is not of the system's shape, or not in the checker's table")
            self.check_forgets(place[0], tag.local)
            here = {who for who in self.beside[at] if not self.covered(at, (who,) + me)}
            for actor, choice, no_place, how in self.moves(place, tag, here):
                if how is None or not self.covered(at, how.takes + me):
                    self.taken += 1
                    self.check_step(actor, choice, no_place, how)
                    self.check_remembers(place[0], tag.local, choice)
    def check_forgets(self, shared, me):
        """What the tagged process does, and sees of that, is what its anonymous self does, but for history."""
        plain, bare = self.anonymous, self.anonymous(me)
        nobody = self.nobody[bare] and keeps("AnonymousIsSomebody")
        self.refuse(nobody, "its tagged process is nobody without its history")
        forget = lambda effect: effect and (effect[0], plain(effect[1]) if effect[0] == "spawn" else effect[1])
        way = lambda c: (c.shared, plain(c.own), forget(c.effect), c.way, c.label)
        ways = lambda who: [way(choice) for choice in self.steps.choices[shared, who]]
        self.refuse(keeps("StepForgets") and ways(me) != ways(bare), "a step of its tagged process depends on history")
    def check_remembers(self, before, local, choice):
        """So is what it sees of a step, and how it is woken."""
        plain, step = self.anonymous, f"the step {self.steps.labels[choice.label]}"
        seen, bare = (self.sees(before, choice.shared, who) for who in (local, plain(local)))
        self.refuse(keeps("SightForgets") and plain(seen) != plain(bare), f"what it sees of {step} depends on history")
        if choice.effect and choice.effect[0] != "spawn" and keeps("WakeForgets"):
            woken = [self.woken(who, choice.effect[1]) for who in (seen, plain(seen))]
            differs = len({who if who is None else plain(who) for who in woken}) > 1
            self.refuse(differs, f"how {step} wakes it depends on history")

    def check_step(self, actor, choice, no_place, how):
        tagged, step = actor == "TagSteps", f"the step {self.steps.labels[choice.label]}"
        bad = choice.violates if tagged else self.forgets(choice.local) and choice.violates_without_history
        self.refuse(bad and keeps("TagJudged" if tagged else "ForgetfulJudged"), f"{step} from it is a violation")
        self.refuse(no_place, f"{step} spawns a process without a place")
        left = how is None and not tagged and self.steps.said["forgetful"] and keeps("EndsByItself")
        self.refuse(left, f"{step} of another process ends its tagged process")
        if how and (how.place, how.tag) not in self.known and keeps("Listed"):
            to = self.name(how.place, [how.tag.local])
            self.refuse(True, f"{step} leads from it to {to}, which is not listed")

    def successors(self, place, tag, others):
        """Of one configuration with exactly these beside: each is inside the invariant."""
        found, self.element = set(), ("enumerated", place, tag, others)
        for actor, choice, no_place, how in self.moves(place, tag, set(others)):
            rest = Counter(others)
            rest.subtract(how.takes if how else ())
            stay = [self.bystander(who, how) for who in rest.elements()] if how else []
            if None in stay or min(rest.values(), default=0) < 0:
                continue
            self.check_step(actor, choice, no_place, how)
            if how:
                rest, (at, me) = tuple(sorted(sum(stay, how.puts))), self.untagged(how.place, how.tag)
                label = self.steps.labels[choice.label]
                self.refuse(self.covered(at, rest + me), f"the step {label} leads to an excluded one")
                found.add((how.place, how.tag, rest))
        return found
    def enumerate(self):
        """By number of callers, how many configurations the invariant has: no step leads out of it."""
        now, counts = [(place, tag, ()) for place, tag in self.listed], []
        while len(now) <= MOST and len(counts) < CALLERS:
            counts.append(sum(1 for one in now if self.successors(*one) is not None))
            more = ((place, tag, (*others, who)) for place, tag, others in now
                    for at, me in [self.untagged(place, tag)] for who in self.beside[at]
                    if others[-1:] <= (who,) and not self.covered(at, (*others, who) + me))
            now = list(itertools.islice(more, MOST + 1)) if len(counts) < CALLERS else []
        return counts
    def explore(self):
        """By number of callers, how many configurations are reached: each is in the invariant."""
        counts = []
        for callers in range(1, CALLERS + 1):
            many = lambda tag, who: callers - (tag.slot is None and self.kind[who] == self.kind[tag.local])
            beside = lambda tag: (one for who in self.crowds for one in self.put(who) * many(tag, who))
            queue = [(place, tag, tuple(sorted(beside(tag)))) for place, tag in self.initial_tagged()]
            reached = set(queue)
            while queue:
                new = self.successors(*queue.pop()) - reached
                reached |= new; queue += new
                if len(reached) > MOST:
                    return counts
            counts.append(len(reached))
        return counts
    def check_written(self):
        """All else that the file says is what the steps say, and there is one way to write a claim down."""
        cert, places = self.cert, self.cert["places"]
        content = {name: cert[name] for name in ("format", "version", "digest")}
        content.update((name, self.steps.said[name]) for name in list(ABOUT)[2:])
        used = ([at for line in places for element in line["excluded"] for at in element],
                [at for line in places for at, _ in line["tagged"]])
        for name, numbers in zip(("anonymous", "tags"), used):
            words = sorted({(cert[name][at]["kind"], cert[name][at]["word"]) for at in numbers})
            content[name] = [{"kind": kind, "word": word} for kind, word in words]
        # Where these are the same, numbers are in the order of words.
        by_slot = lambda tagged: (cert["tags"][tagged[0]]["kind"], -1 if tagged[1] is None else tagged[1], tagged[0])
        lines = {(self.steps.shared.get(line["shared"], -1), *line["slots"]): {
            "shared": line["shared"], "slots": line["slots"],
            "excluded": sorted(map(list, {tuple(sorted(element)) for element in line["excluded"]})),
            "tagged": sorted(map(list, set(map(tuple, line["tagged"]))), key=by_slot)} for line in places}
        content["places"] = [line for _, line in sorted(lines.items()) if line["excluded"] or line["tagged"]]
        for name, expected in content.items():
            self.same(name, expected)
        text = json.dumps({**content, "digest": ""}, ensure_ascii=False, separators=(",", ":"))
        self.same("digest", hashlib.sha256(text.encode()).hexdigest())
    def same(self, name, expected):
        self.element = name
        found, expected = json.dumps(self.cert[name], sort_keys=True), json.dumps(expected, sort_keys=True)
        at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), 0)
        self.refuse(found != expected, f"found ...{found[at:at + 70]}, expected ...{expected[at:at + 70]}")

def main(certificate, steps):
    checker = Checker(certificate, Steps(steps))
    checker.same("scenario", checker.steps.said["scenario"])
    for rules in "check_crowd", "tabulate", "check_excluded", "check_closed", "check_tagged":
        getattr(checker, rules)()
    print(f"inductive: {len(checker.beside)} places; {len(checker.claimed)} excluded elements, {checker.predecessors} "
          f"before them; {len(checker.listed)} tagged control states, {checker.taken} steps", flush=True)
    print(f"configurations with 1, 2, ... callers: {checker.enumerate()}; reached: {checker.explore()}")
    checker.check_written()
    print(f"accepted, if the steps are the system's: {', '.join(p['name'] for p in checker.cert['properties'])}")

if __name__ == "__main__":
    if len(sys.argv) != 3: sys.exit(print(__doc__, file=sys.stderr) or 2)
    try:
        main(*sys.argv[1:])
    except (BadInput, Refused) as error:
        sys.exit(print("verify.py", *error.args, sep=": ", file=sys.stderr) or error.status)
    except (LookupError, TypeError, ValueError) as error:
        sys.exit(print(f"verify.py: {sys.argv[2]}: found {error!r}, expected numbers of what is there", file=sys.stderr) or 2)
