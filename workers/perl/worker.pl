#!/usr/bin/perl
# A worker of a respawn pool in Perl, written from docs/wire.md with what comes with Perl alone.
use strict;
use warnings;

BEGIN {    # before anything is started
    use Fcntl;
    if (!delete $ENV{RESPAWN_PROTOCOL}) {
        print STDERR "this is a worker of a respawn pool, and no pool started it\n";
        exit 2;
    }
    for my $fd (3 .. 7) {
        open(my $h, "+<&=", $fd) or next;
        fcntl($h, F_SETFD, FD_CLOEXEC);
        push @main::held, $h;    # or it would be closed
    }
}

use Encode ();
use Errno qw(EAGAIN EINTR);
use JSON::PP;
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($tasks, $control, $tickets) = @main::held;
my ($HELLO, $TASK, $READY, $BOOT_FAILED, $VALUE, $ERROR, $ENCODE, $UNKNOWN, $GOODBYE) = (1, 2, 3, 4, 5, 6, 8, 9, 10);
my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my ($in, $orders, $ticket, $running, $attempt, $stopping, $cancelled, $limit) = ("", "", undef, undef, 0, 0, 0, 0);
my $term = 0;
$SIG{INT}  = "IGNORE";
$SIG{PIPE} = "IGNORE";
pipe(my $woken, my $wake) or die;
fcntl($wake, F_SETFL, O_NONBLOCK);
$SIG{TERM} = sub { $term = 1; syswrite($wake, ".") };

sub orphaned {
    kill(KILL => -$$);    # it leads its group
    kill(KILL => $$);
    POSIX::_exit(1);
}

sub put {
    my ($kind, $payload, $id, $seq, $run) = @_;
    my $data = pack("VCCvQ<VvvQ<", length($payload), $kind, 0, 0, $id // 0, $seq // 0, 0, 0, $run // 0) . $payload;
    while (length $data) {
        my $n = syswrite($tasks, $data);
        if (!defined $n) { next if $! == EINTR; orphaned() }
        substr($data, 0, $n) = "";
    }
}

# look sees to orders, signals and the end of the pool, and waits so long for them or for frames.
sub look {
    my ($wait) = @_;
    my $want = "";
    vec($want, fileno($_), 1) = 1 for $control, $woken, $tasks;
    my $there = $want;
    my $n = select($there, undef, undef, $wait);
    if ($term && !$stopping) { $stopping = 1; put($GOODBYE, "") }
    return if $n <= 0;
    if (vec($there, fileno($woken), 1)) { sysread($woken, my $byte, 16) }
    if (vec($there, fileno($control), 1)) {
        orphaned() if !sysread($control, $orders, 4096, length $orders);
        while (length $orders >= 8) {
            my ($kind, $arg) = unpack("Cx3V", substr($orders, 0, 8, ""));
            $cancelled = 1 if $kind == 2 && defined $running && $running == $arg;
            $stopping  = 1 if $kind == 4;
        }
    }
    if (vec($there, fileno($tasks), 1)) {
        orphaned() if !sysread($tasks, $in, 65536, length $in);
    }
}

sub frame {
    while (1) {
        return if $stopping;
        if (length $in >= 32) {
            my ($size, $kind, $flags, $handler, $id, $seq, $attempt, $key) = unpack("VCCvQ<Vvv", $in);
            if (length $in >= 32 + $size) {
                my $payload = substr(substr($in, 0, 32 + $size, ""), 32);
                return { kind => $kind, flags => $flags, handler => $handler, id => $id, seq => $seq, attempt => $attempt, payload => substr($payload, $key) };
            }
        }
        look(undef);
    }
}

# take takes the ticket of a frame that is here whole.
sub take {
    my ($seq) = @_;
    if (!defined $ticket) {
        my $n = sysread($tickets, my $four, 4);
        return 0 if !defined $n && $! == EAGAIN;
        orphaned() if !$n;
        $ticket = unpack("V", $four);
    }
    return 0 if $ticket != $seq;
    undef $ticket;
    return 1;
}

sub failure {
    my ($message, $type, %more) = @_;
    return $json->encode({ message => substr($message, 0, 65536), type => $type, trace => "", %more });
}

sub nanoseconds { return int(clock_gettime(CLOCK_MONOTONIC) * 1e9) }

# witness appends a line about what is executed to the file of a scenario.
my %witnesses;

sub witness {
    my ($path, $line) = @_;
    return if !defined $path;
    if (!$witnesses{$path}) { sysopen($witnesses{$path}, $path, O_WRONLY | O_APPEND | O_CREAT) or die { message => "$path: $!" } }
    syswrite($witnesses{$path}, "\n$line\n");
}

my %handlers = (
    "respawn.probe" => sub { my ($n) = @_; return { id => 0, pid => $$, value => "" . $n * $n } },
    "respawn.sleep" => sub {
        my ($w) = @_;
        my $line = "$w->{id} $attempt $$ " . nanoseconds();
        witness($w->{witness}, "S $line");
        my $end = clock_gettime(CLOCK_MONOTONIC) + ($w->{ns} // 0) / 1e9;
        while (!$cancelled && (my $left = $end - clock_gettime(CLOCK_MONOTONIC)) > 0) {
            look($left < 0.01 ? $left : 0.01);
        }
        witness($w->{witness}, "E $line " . nanoseconds());
        return { id => $w->{id}, pid => $$, value => "" . $w->{id}**2 };
    },
    "respawn.bytes" => sub { return \$_[0] },
    "respawn.fail"  => sub { die { message => $_[0] } },
    "respawn.print" => sub { print STDOUT Encode::encode_utf8($_[0]), "\n"; print STDERR "and here\n"; return undef },
    "respawn.child" => sub {
        my ($seconds) = @_;
        my $pid = fork() // die { message => "fork: $!" };
        if (!$pid) { exec("sleep", $seconds) or POSIX::_exit(1) }
        return $pid;
    },
);
my @names = sort keys %handlers;

# answer runs a handler: the kind and the payload of what is answered.
sub answer {
    my ($f) = @_;
    my $name = $names[$f->{handler}] // return ($UNKNOWN, failure("there is no handler $f->{handler}", "LookupError"));
    my $argument = $f->{payload};
    if (!($f->{flags} & 4)) {
        $argument = eval { $json->decode(Encode::encode_utf8(Encode::decode("UTF-8", $argument, Encode::FB_CROAK))) };
        return ($ENCODE, failure("$@", "JSON", what => "decode argument")) if $@;
    }
    my $result = eval { $handlers{$name}->($argument) };
    if (my $e = $@) { return ($ERROR, ref $e ? failure($e->{message}, "HASH") : failure("$e", "die")) }
    my $bytes = ref $result eq "SCALAR";
    return ($ENCODE, failure("JSON and bytes", "TypeError", what => "encode result")) if $bytes != !!($f->{flags} & 8);
    my $data = $bytes ? $$result : $json->encode($result);
    return ($ENCODE, failure(length($data) . " bytes", "TooLarge", what => "encode result", too_large => JSON::PP::true)) if length $data > $limit;
    return ($VALUE, $data);
}

$| = 1;
my $hello = frame();
my $said  = $json->decode($hello->{payload});
if ($said->{protocol} != 1) {
    put($BOOT_FAILED, failure("this worker speaks protocol 1, and the pool $said->{protocol}", "Protocol"));
    POSIX::_exit(1);
}
$limit = $said->{max_payload};
put($READY, $json->encode({ protocol => 1, pid => $$, tasks => \@names, can => ["cancel"], sdk => "perl" }));
while (my $f = frame()) {
    next if $f->{kind} != $TASK;
    ($running, $cancelled) = ($f->{seq}, 0);
    next if !take($f->{seq});
    my $began = clock_gettime(CLOCK_MONOTONIC);
    $attempt = $f->{attempt};
    my ($kind, $payload) = answer($f);
    undef $running;
    put($kind, $payload, $f->{id}, $f->{seq}, int((clock_gettime(CLOCK_MONOTONIC) - $began) * 1e9));
}
POSIX::_exit(0);
