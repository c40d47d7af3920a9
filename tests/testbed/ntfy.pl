#!/usr/bin/perl
# ntfy.pl: a service that takes whatever it is sent, and keeps it in /run/heard, a line each. Inside a host, on port
# 8090 of loopback.
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1:8090', ReuseAddr => 1) or die "ntfy.pl: $!";
my $number = 0;
while (my $client = $listener->accept) {
	my $length = 0;
	while (my $line = <$client>) {
		$length = $1 if $line =~ /^content-length: *(\d+)/i;
		last if $line =~ /^\r?\n$/;
	}
	read $client, my $body, $length;
	$body =~ tr/\n/ /;
	open my $heard, '>>', '/run/heard' or die "ntfy.pl: $!";
	print $heard "$body\n";
	close $heard;
	my $answer = '{"id":"n' . ++$number . '"}';
	print $client "HTTP/1.1 200 OK\r\nContent-Length: ", length $answer, "\r\nConnection: close\r\n\r\n$answer";
	close $client;
}
