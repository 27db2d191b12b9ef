# A Rack application that says which process answers.
run ->(_env) { [200, { "Content-Type" => "application/json" }, [%({"pid": #{Process.pid}})]] }
