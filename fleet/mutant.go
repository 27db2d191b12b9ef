package fleet

// mutant breaks a fleet in one way, so that the simulation can show that it would notice.
type mutant uint8

const (
	noMutant mutant = iota
	mutantAckBeforeRun
	mutantAckBeforeAccept
	mutantNoAsk
	mutantDeliverBudget // counts deliveries as deaths, and gives up after five
	mutantShortAckWait  // two seconds, and runs what is delivered again without asking
	mutantOnePull       // a pull that ended with an error is not followed by another
	mutantBelievesRefusal
	mutantTrustsDedupe
	mutantNoRepair
	mutantBlamesBlind
	mutantGrantTwice
	mutantRefusalIsDeath
	mutantIdentityByName
	mutantRepairsByFloor
	mutantNakOnlyNoted
	mutantAcksAcrossEpochs
	mutantChargesAll
	mutantJudgesAfterPause
	mutantRunsForGone
	mutantReplaysControl
	mutantResumesWithoutLease
	mutantNoCredit
	mutantSettlesTwice
	mutantStoresInAny // what was meant for one stream is stored in the next
	lastMutant
)

var mutantNames = [...]string{
	"", "ack before run", "ack before accept", "no ask on redelivery", "MaxDeliver as budget",
	"AckWait 2 s without ask", "one pull", "believes a refusal", "trusts dedupe after restart", "no repair",
	"blames when itself blind", "grants twice",
	"refusal = death", "identity by name", "repair by floor only", "NAK only with a note", "acks across epochs",
	"charge the whole hand", "judge after one's own pause", "run for gone owners", "replayed control",
	"resume without lease", "results without credit", "settles twice", "stores in any stream",
}

func (m mutant) String() string { return mutantNames[m] }
