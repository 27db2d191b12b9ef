worker_processes 4
listen "127.0.0.1:8211"
