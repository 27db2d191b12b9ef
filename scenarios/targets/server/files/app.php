<?php
// The tasks: GET /sleep?id=17&n=17&ms=20 answers {"value":289,"pid":4711}.

// Appends to the file of witnesses, in one write.
function testify(string $line): void
{
    file_put_contents(getenv('RESPAWN_WITNESS'), $line, FILE_APPEND);
}

$start = (int) $_GET['id'] . ' 0 ' . getmypid() . ' ' . hrtime(true);
testify("\nS $start\n");
if ($_SERVER['DOCUMENT_URI'] === '/sleep') {
    usleep((int) $_GET['ms'] * 1000);
}
$answer = json_encode(['value' => (int) $_GET['n'] ** 2, 'pid' => getmypid()]);
testify("\nE $start " . hrtime(true) . "\n");
header('Content-Type: application/json');
echo $answer;
